"""From results to tables and answers. Imports no torch."""
