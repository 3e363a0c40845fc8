"""Words of documents: units, names of things, hardware."""
