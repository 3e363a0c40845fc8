"""Predictions, shown before anything is submitted."""
