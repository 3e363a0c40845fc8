"""Cells of one case by the headings of their columns."""
