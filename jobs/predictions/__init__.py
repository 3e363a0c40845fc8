"""Predictions for the cases of a plan: made at submission, or shown instead of it."""
