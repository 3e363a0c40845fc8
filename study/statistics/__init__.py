"""Medians of step times, their confidence intervals, and comparisons."""
