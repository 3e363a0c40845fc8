"""Peak memory of each GPU, followed action by action, and whether it fits."""
