"""Units, and the names of things."""
