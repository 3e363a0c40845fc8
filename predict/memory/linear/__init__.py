"""Memory of the linear stack, whose sizes follow from its case."""
