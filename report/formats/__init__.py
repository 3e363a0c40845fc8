"""A document as Markdown, HTML, PDF or raw values."""
