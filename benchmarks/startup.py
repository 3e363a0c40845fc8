"""Startup time of the entry points before any work: medians over several runs.

python benchmarks/startup.py
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter

ROOT = Path(__file__).resolve().parent.parent
RUNS = 10


def seconds(*arguments: str) -> list[float]:
    """Wall-clock seconds of each run; the first, which fills the disk cache, is left out."""
    times = []
    for _ in range(RUNS + 1):
        start = perf_counter()
        done = subprocess.run([sys.executable, *arguments], cwd=ROOT, capture_output=True)
        times.append(perf_counter() - start)
        if done.returncode > 1:
            sys.exit(done.stderr.decode())
    return sorted(times[1:])


def main() -> None:
    """Print a line for each entry point."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    with tempfile.TemporaryDirectory() as results:
        make_results(results)
        for arguments in (
            ("submit.py", "--help"),
            ("collect.py", "--help"),
            ("submit.py", "--grid", "task4", "--dry-run", "--cluster", "slurm"),
            ("collect.py", "--results", results),
        ):
            times = seconds(*arguments)
            shown = " ".join(arguments).replace(results, "TEN_RESULTS")
            print(f"{times[len(times) // 2]:.3f} s (max {times[-1]:.3f})  {shown}")


def make_results(folder: str) -> None:
    """Ten small cases, measured here on the CPU."""
    grid = Path(folder) / "ten.yaml"
    grid.write_text(
        "axes: {depth: [6, 12, 18, 20, 24], gpus: [2, 5]}\n"
        "model: {dim: 16, batch_size: 4}\nmeasure: {warmup_steps: 0, steps: 3}\n"
    )
    command = ["submit.py", "--grid", str(grid), "--cluster", "local", "--results", folder]
    subprocess.run([sys.executable, *command], cwd=ROOT, capture_output=True, check=True)


if __name__ == "__main__":
    main()
