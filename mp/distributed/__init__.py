"""A process, a rank, for each GPU of a case: pipelines, tensor and data parallelism."""
