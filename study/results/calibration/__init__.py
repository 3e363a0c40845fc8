"""The record of a calibration: the seconds from which the time of a step can be predicted."""
