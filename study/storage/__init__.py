"""Files on disk: results, the ledger, progress, YAML; and the ways to read and write them."""
