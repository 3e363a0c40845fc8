"""Seconds of the phases of a job, most of them before its timed steps: medians of several runs.

    python benchmarks/setup.py                     on CPUs, with small sizes
    python benchmarks/setup.py --device cuda       on GPUs
    python benchmarks/setup.py --device cuda --case wide --runs 1

Each run starts the case anew, as a job does. A run before all fills the disk cache.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path
from statistics import median
from time import perf_counter

ROOT = Path(__file__).resolve().parent.parent
MEASURING = ("timing", "instruments")
ALL = ["--time-limit-s", "3", "--ci-half-width", "0"]
PIPELINE = ["--schedule", "1f1b", "--micro-batches", "8"]
CASES = {  # by device
    "cuda": {
        "linear": [*PIPELINE, "--depth", "24", "--dim", "5120", "--batch-size", "16384",
                   "--dtype", "bfloat16"],
        "naive": ["--depth", "24", "--dim", "5120", "--batch-size", "16384",
                  "--dtype", "bfloat16"],
        "wide": [*PIPELINE, "--depth", "8", "--dim", "49152", "--batch-size", "512",
                 "--dtype", "bfloat16"],
        "gpt": [*PIPELINE, "--kind", "gpt", "--preset", "gpt2", "--batch-size", "32",
                "--dtype", "bfloat16"],
    },
    "cpu": {
        "linear": [*PIPELINE, "--depth", "8", "--dim", "1024", "--batch-size", "16"],
        "naive": ["--depth", "8", "--dim", "1024", "--batch-size", "16"],
        "wide": [*PIPELINE, "--depth", "4", "--dim", "4096", "--batch-size", "8"],
        "gpt": [*PIPELINE, "--kind", "gpt", "--depth", "6", "--dim", "256", "--heads", "4",
                "--vocab", "8192", "--seq-len", "32", "--batch-size", "8"],
    },
}  # fmt: skip


def phases_of(options: list[str]) -> dict[str, float]:
    """Run a case; return the seconds of its phases, and of the whole command."""
    start = perf_counter()
    command = [sys.executable, "-m", "mp", *options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    took = perf_counter() - start
    if done.returncode:
        sys.exit(done.stderr)
    result = json.loads(done.stdout)
    phases = {phase["name"]: phase["seconds"] for phase in result["phases"]}
    setup = sum(seconds for name, seconds in phases.items() if name not in MEASURING)
    return phases | {"set-up": setup, "command": took}


def main() -> None:
    """Print a table: a row for each phase, a column for each case."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", choices=CASES, default="cpu")
    parser.add_argument("--gpus", type=int, default=None, help="default: 4; 2 on CPUs")
    parser.add_argument("--case", choices=CASES["cpu"], action="append", help="default: all")
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()
    gpus = arguments.gpus or {"cuda": 4, "cpu": 2}[arguments.device]
    ours = ["--device", arguments.device, "--gpus", str(gpus), *ALL]
    cases = arguments.case or list(CASES["cpu"])
    found: dict[str, dict[str, float]] = {}
    for case in cases:
        options = [*ours, *CASES[arguments.device][case]]
        if not found:
            phases_of(options)
        runs = [phases_of(options) for _ in range(arguments.runs)]
        found[case] = {name: median(run[name] for run in runs) for name in runs[0]}
    print(f"Seconds on {gpus} {arguments.device} devices, medians of {arguments.runs} runs\n")
    print(f"| phase | {' | '.join(cases)} |\n|---|{'---:|' * len(cases)}")
    for name in dict.fromkeys(name for phases in found.values() for name in phases):
        cells = (f"{phases[name]:.1f}" if name in phases else "" for phases in found.values())
        print(f"| {name} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
