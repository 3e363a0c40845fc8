"""From the cases of a grid to the calibration that predicts them."""
