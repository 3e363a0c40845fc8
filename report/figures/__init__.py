"""Drawings as SVG. Every module here imports matplotlib, which takes half a second."""
