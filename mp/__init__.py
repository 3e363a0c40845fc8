"""The model-parallel benchmark itself. Knows no Slurm."""
