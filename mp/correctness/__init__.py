"""Checks of a case: the split must compute what the unsplit model computes."""
