"""`python benchmarks/simulation.py`: seconds and memory of simulating a step, no GPU needed.

Each schedule runs in a process of its own, `--rounds` times, whose fastest counts.
"""

import argparse
import json
import resource
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from time import perf_counter

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from predict.orders.action import Action
from predict.orders.lowering import programs
from predict.simulation.costs import Link, equal_stages, slowed_alike
from predict.simulation.events import simulate
from predict.simulation.large import LARGE, simulate_large
from study.schedules import IN_TWO_PARTS, SCHEDULES

STAGES, MICRO_BATCHES = 1024, 4096
SMALL = (16, 64)  # GPUs, micro-batches of the event model


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.only:
        print(json.dumps(measure(options.only, options.rounds)))
        return
    print(f"{STAGES:,} stages, {MICRO_BATCHES:,} micro-batches; event model: {SMALL[0]} GPUs, "
          f"{SMALL[1]} micro-batches, messages in queues, computing slowed")  # fmt: skip
    print("| schedule | actions | waves | most memory | event model: actions | time |")
    print("|---|---|---|---|---|---|")
    for schedule in LARGE:
        command = [sys.executable, __file__, "--only", schedule, "--rounds", str(options.rounds)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        large_s, most_mib, small, small_s = json.loads(done.stdout)
        kinds = 3 if schedule in IN_TWO_PARTS else 2
        millions = kinds * STAGES * MICRO_BATCHES / 1e6
        print(
            f"| {SCHEDULES[schedule].label} | {millions:.1f} M "
            f"| {large_s:.2f} s | {most_mib:.0f} MiB | {small:,} | {small_s:.2f} s |"
        )


def measure(schedule: str, rounds: int) -> tuple[float, float, int, float]:
    """Return seconds and MiB of the waves, and actions and seconds of the event model.

    Args:
        schedule: the one that is simulated.
        rounds: of which the fastest counts.
    """
    chunks = 2 if SCHEDULES[schedule].is_chunked else 1
    costs = replace(equal_stages(STAGES), link=Link(0.05))
    gpus = STAGES // chunks
    large_s = min(
        timed(lambda: simulate_large(schedule, gpus, MICRO_BATCHES, chunks, costs))
        for _ in range(rounds)
    )
    most_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    made = programs(schedule, *SMALL, chunks)
    actions = sum(isinstance(call, Action) for program in made for call in program.calls)
    crowded = replace(
        equal_stages(SMALL[0] * chunks), link=Link(0.05), queues="pair", slowdown=slowed_alike(1.3)
    )
    small_s = min(timed(lambda: simulate(made, crowded)) for _ in range(rounds))
    return large_s, most_mib, actions, small_s


def timed(run: Callable[[], object]) -> float:
    """Return how long a call takes."""
    start = perf_counter()
    run()
    return perf_counter() - start


if __name__ == "__main__":
    main()
