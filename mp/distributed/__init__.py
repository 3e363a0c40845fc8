"""The schedules that have a process for each GPU: pipelines, and tensor parallelism."""
