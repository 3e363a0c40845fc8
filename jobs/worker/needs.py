"""Check that a job's Python has what it needs, before anything else: a site's own may not.

Written for any Python from 3.6, so that an old one can still say that it is too old.
"""

import importlib.util
import os
import platform
import sys

from study.first_contact import OLDEST

PACKAGES = {  # by the name that imports it
    "msgspec": "msgspec",
    "numpy": "numpy",
    "pynvml": "nvidia-ml-py",
    "scipy": "scipy",
    "torch": "torch",
}


def check_python(needs_torch: bool = False) -> None:
    """Exit with 2 and one line if this Python is too old or lacks a package.

    Args:
        needs_torch: torch alone may be missing where a job runs a program of one's own, which is
            not known before its batch can be read.
    """
    python = f"{sys.executable} (Python {platform.python_version()}, of {platform.node()})"
    missing = [name for module, name in PACKAGES.items() if _is_missing(module)]
    if sys.version_info < OLDEST:
        problem = f"is too old; a job needs Python {OLDEST[0]}.{OLDEST[1]} or newer"
    elif missing and (needs_torch or missing != ["torch"]):
        what_to_do = 'install them for it (docs/cluster.md), or run "make .venv"'
        problem = f"lacks {', '.join(missing)}: {what_to_do}"
    else:
        return
    rank = int(os.environ.get("SLURM_PROCID", 0))
    mark = f"[rank {rank}] " if rank else ""  # as jobs/worker/rank.py marks lines
    # In one piece: srun would put its own words between the line and its end.
    sys.stderr.write(f"{mark}mpbench: job failed: {python} {problem}\n")
    sys.exit(2)


def _is_missing(module: str) -> bool:
    return importlib.util.find_spec(module) is None
