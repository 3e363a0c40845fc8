"""From a case to a Slurm job, or to a local process, and back to its state."""
