"""The profile of a model: each of its layers measured alone, with one micro-batch."""
