"""GPUs, real and logical: what they are, hold and can do."""
