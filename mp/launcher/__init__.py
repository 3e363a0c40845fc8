"""Start a process for each GPU of this machine."""
