"""The values of a case's keys: their types and defaults, and what a kind of model fills in."""
