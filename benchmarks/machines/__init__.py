"""Everything that one machine with several GPUs is to measure, through a private Slurm on it."""
