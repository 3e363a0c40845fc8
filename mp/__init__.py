"""The model-parallel benchmark of one case; the only part that imports torch."""
