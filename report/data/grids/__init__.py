"""Cases besides those that a grid asks for: more counts of GPUs, other files, grids not known."""
