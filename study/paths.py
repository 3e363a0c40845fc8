"""Folders and files of the checkout, and the folder of results that a person names."""

import os
from pathlib import Path

from study.errors import ConfigError

ROOT = Path(__file__).resolve().parent.parent
GRIDS = ROOT / "grids"
CLUSTER_FILE = ROOT / "cluster.yaml"
RESULTS = Path("results")


def check_results(folder: Path, option: str = "--results") -> None:
    """Check that a person named a folder of results.

    Raises:
        ConfigError: it does not exist, is no folder, or cannot be read.
    """
    try:
        with os.scandir(folder):
            return
    except FileNotFoundError:
        problem = f"{folder} does not exist; name a folder of results"
        if folder == RESULTS:
            problem = (
                f"{folder} does not exist in {Path.cwd()}: nothing was submitted from here yet; "
                "run submit.py first, or name a folder of results"
            )
    except NotADirectoryError:
        problem = f"{folder} is not a folder; name a folder of results"
    except OSError as error:
        problem = f"{folder} cannot be read: {error.strerror}"
    raise ConfigError(option, problem)
