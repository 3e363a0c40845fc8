"""A grid: the cases that it selects, its file, and the values that the file gives."""
