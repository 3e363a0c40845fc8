"""A/A: pairs of processes that measure the same case; how many are called different?

    python benchmarks/same.py [--pairs 20] [--device cuda] [KEY=VALUE ...]

The keys are those of a case. Each process warms up and times its steps by the rules of a job, but
checks nothing and measures nothing else. At most 6 % of the pairs should be called different. The
spread of the medians is what study/statistics/between_jobs.py assumes of single jobs (JOB_SD).
"""

import argparse
import json
import math
import subprocess
import sys
from pathlib import Path
from statistics import median, stdev

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from mp.engine import Communicator
from mp.hardware import POLICIES
from mp.hardware.devices import choose_devices
from mp.hardware.precision import set_precision
from mp.measure import time_steps
from mp.single.engine import SingleEngine
from mp.timing.stopping import StoppingRule, WarmupRule
from study.statistics.bootstrap import compare
from study.validation import make_case
from study.values.parsing import parse_value

CASE = ("depth=8", "gpus=1", "dim=4096", "batch_size=512", "time_limit_s=20")


def main() -> None:
    """Print a line for each pair, then how many were called different."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=20)
    parser.add_argument("--device", choices=POLICIES, default="auto")
    parser.add_argument("--once", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("case", nargs="*", default=CASE)
    arguments = parser.parse_args()
    if arguments.once:
        print(json.dumps(measure(arguments.device, arguments.case)))
        return
    different, log_medians = 0, []
    for number in range(arguments.pairs):
        a, b = (in_a_process(arguments.device, arguments.case) for _ in range(2))
        found = compare([a], [b])
        assert found is not None, "too few steps"
        different += found.kind in ("slower", "faster")
        log_medians += [math.log(median(times)) for times in (a, b)]
        print(
            f"{number + 1:3d}  {len(a):5d} and {len(b):5d} steps: {found.words('a', 'b')}",
            flush=True,
        )
    spread = 100 * stdev(log_medians)
    print(
        f"called different: {different} of {arguments.pairs}; medians differ by {spread:.2f} % (sd)"
    )


def in_a_process(device: str, case: list[str]) -> list[float]:
    """The timed steps of one process."""
    command = [sys.executable, __file__, "--once", "--device", device, *case]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    times: list[float] = json.loads(done.stdout)
    return times


def measure(device: str, texts: list[str]) -> list[float]:
    """Warm up, then time the steps until they are known well enough."""
    pairs = (text.split("=", 1) for text in texts)
    case = make_case({key: parse_value(key, value, "case") for key, value in pairs}, "case")
    engine = SingleEngine(case, Communicator(choose_devices(case.gpus, device)))
    set_precision(case)
    step = engine.build(case)
    time_steps(step, engine.world, WarmupRule(case), lambda times, elapsed: None)
    return time_steps(step, engine.world, StoppingRule(case), lambda times, elapsed: None)[0]


if __name__ == "__main__":
    main()
