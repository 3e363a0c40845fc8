"""Folders and files of the checkout."""

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
GRIDS = ROOT / "grids"
CLUSTER_FILE = ROOT / "cluster.yaml"
