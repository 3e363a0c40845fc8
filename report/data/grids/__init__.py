"""What belongs to a grid besides its own cases: other counts of GPUs, other files, no file."""
