"""A rank's whole training step as one CUDA graph, NCCL's kernels included."""
