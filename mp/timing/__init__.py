"""How a step is timed, and when it has been timed enough."""
