"""Calibration: seconds of all that a step is made of, for predictions."""
