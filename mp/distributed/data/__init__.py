"""Data parallelism: ranks, or pipelines of ranks, train a model each on their part of the batch."""
