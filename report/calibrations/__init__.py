"""Calibrations as a section of a document: what was measured, where and when."""
