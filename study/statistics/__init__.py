"""How well a median is known, and when two differ."""
