"""The best over all schedules and numbers of GPUs: the fastest, the cheapest, the least memory."""
