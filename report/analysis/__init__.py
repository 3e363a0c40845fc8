"""Numbers derived from results."""
