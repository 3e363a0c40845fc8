"""Predictions of cases: from which calibration, how certain, and which case to choose."""
