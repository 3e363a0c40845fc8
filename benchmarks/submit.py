"""Measure submit.py on large grids: the time and memory to plan, check, submit and show them.

    make slurm && python benchmarks/submit.py 1000 10000

On the private cluster, whose partition is stopped meanwhile: nothing runs, everything is queued.
Prints seconds and peak memory of each command as a Markdown table.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
GPUS = list(range(1, 9))


def main() -> None:
    """Print a table for the sizes on the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "sizes", type=int, nargs="*", default=[1000], help="cases of each grid (default: 1000)"
    )
    sizes = parser.parse_args().sizes
    print("| cases | command | seconds | peak memory |\n|---|---|---|---|")
    for size in sizes:
        with tempfile.TemporaryDirectory() as folder:
            measure(size, Path(folder))


def measure(size: int, folder: Path) -> None:
    """Submit, look, look again for what to submit, and cancel."""
    depths = list(range(8, 8 + size // len(GPUS)))
    grid = folder / "large.yaml"
    grid.write_text(f"axes: {{depth: {depths}, gpus: {GPUS}}}\nmodel: {{dim: 16, batch_size: 4}}\n")
    where = ("--cluster", "testcluster", "--results", str(folder / "r"))
    partition("down")
    try:
        show(size, "--grid", str(grid), *where)
        show(size, "--status", *where)
        show(size, "--grid", str(grid), *where)
        show(size, "--cancel", "--grid", str(grid), *where)
        show(size, "--status", *where)
    finally:
        partition("up")


def partition(state: str) -> None:
    """Stop or start the cluster's only partition."""
    command = ["scontrol", "update", "partitionname=gpu", f"state={state}"]
    subprocess.run(command, check=True)


def show(size: int, *arguments: str) -> None:
    """Run submit.py once and print a row of the table."""
    started = time.perf_counter()
    command = [sys.executable, str(ROOT / "submit.py"), *arguments]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, cwd=ROOT)
    _, _, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    words = " ".join(word for word in arguments[:1])
    print(f"| {size} | `{words}` | {seconds:.2f} | {usage.ru_maxrss / 1024:.0f} MiB |", flush=True)


if __name__ == "__main__":
    main()
