"""Parts of benchmarks/waiting.py: ways to post messages, products beside NCCL, and the table."""
