"""The order of actions on each GPU, and what torch sends and receives when."""
