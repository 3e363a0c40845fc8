"""From what a calibration timed to the seconds of what a step is made of."""
