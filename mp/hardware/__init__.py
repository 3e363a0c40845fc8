"""GPUs, real and logical: what they are, hold and can do."""

POLICIES = ("auto", "cpu", "cuda")  # of `choose_devices`; here, since it needs no torch
