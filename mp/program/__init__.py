"""Programs of one's own: their processes, words and GPUs. Nothing here needs torch."""
