"""A process, a rank, for each GPU of a case: pipelines and tensor parallelism."""
