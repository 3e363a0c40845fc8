"""How ranks find and trust one another, and what they share."""
