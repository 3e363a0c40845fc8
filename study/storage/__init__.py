"""What lies on disk: results, the ledger, progress, and how files are read and written."""
