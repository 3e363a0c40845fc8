"""Renderings of a document: Markdown, HTML, PDF."""
