"""Time of the host: steps of tiny layers under each schedule."""
