"""The status of every case: observed, then concluded."""
