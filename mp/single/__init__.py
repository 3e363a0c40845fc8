"""One process with all GPUs."""
