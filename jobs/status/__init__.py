"""Where every case stands: observed, then concluded."""
