"""This checkout against another: one case, run by each checkout's own `python -m mp` in turns.

    git worktree add --detach /tmp/before ac64198
    python benchmarks/before.py --before /tmp/before
    python benchmarks/before.py --before /tmp/before --rounds 20 --gpus 2 --schedule gpipe ...

In every round each checkout runs the case once, in an order that changes from round to round. A row
compares the medians of the timed steps, another the CPU seconds that all ranks use for a step,
which other work on the machine disturbs far less. Each ratio is that of a round; its 95 % interval
is Student's t of all rounds (log scale). Other options are those of `python -m mp`; without any,
1F1B with 5 CPU processes. Linux only.
"""

import argparse
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryFile

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from study.statistics.bootstrap import interval
from study.statistics.comparison import Comparison
from study.statistics.samples import estimate

ROOT = Path(__file__).resolve().parent.parent
CASE = ["--schedule", "1f1b", "--gpus", "5", "--micro-batches", "8", "--depth", "10",
        "--dim", "512", "--batch-size", "128", "--device", "cpu"]  # fmt: skip
TIMING = ["--time-limit-s", "6", "--ci-half-width", "0"]
FIRST, AFTER = "timing", "where the time goes"  # lines of progress around the timed steps
LEAST_ROUNDS = 6  # for an interval
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Run:
    """The times of a run of the case.

    Attributes:
        step_s: its median timed step, in seconds.
        cpu_s: seconds of CPUs that all ranks used in timed steps, for each of them.
    """

    step_s: float
    cpu_s: float


def main() -> None:
    """Take turns, then print both checkouts' figures, their ratios and the verdicts."""
    arguments, options = options_of()
    options = [*TIMING, *(options or CASE)]
    checkouts = {"before": arguments.before.resolve(), "now": ROOT}
    runs: dict[str, list[Run]] = {name: [] for name in checkouts}
    for number in range(arguments.rounds):
        for name in [*checkouts][:: -1 if number % 2 else 1]:
            runs[name].append(run_case(checkouts[name], options))
        told = (f"{name} {1e3 * of[-1].step_s:.1f} ms, CPUs {1e3 * of[-1].cpu_s:.1f} ms"
                for name, of in runs.items())  # fmt: skip
        print(f"round {number + 1}: {'; '.join(told)}", file=sys.stderr, flush=True)
    commits = [f"{name} `{commit_of(path)}`" for name, path in checkouts.items()]
    print(f"`{' '.join(options)}`, {arguments.rounds} rounds; {', '.join(commits)}\n")
    print("| a step | before (ms) | now (ms) | now / before (95 % interval) | verdict |")
    print("|---|---|---|---|---|")
    show("median step", *([run.step_s for run in runs[name]] for name in checkouts))
    show("CPU time of all ranks", *([run.cpu_s for run in runs[name]] for name in checkouts))


def options_of() -> tuple[argparse.Namespace, list[str]]:
    """Return the options, and those of `python -m mp`."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--before", type=Path, required=True, help="the other checkout")
    parser.add_argument("--rounds", type=int, default=12, help=f"at least {LEAST_ROUNDS}")
    arguments, options = parser.parse_known_args()
    if not (arguments.before / "mp" / "__main__.py").is_file():
        parser.error(f"--before {arguments.before}: no checkout of this repository")
    if arguments.rounds < LEAST_ROUNDS:
        parser.error(f"--rounds {arguments.rounds}: an interval takes at least {LEAST_ROUNDS}")
    return arguments, options


def run_case(checkout: Path, options: list[str]) -> Run:
    """Run the case with the code of a checkout."""
    command = [sys.executable, "-m", "mp", *options]
    used: dict[str, float] = {}
    said = []
    with TemporaryFile() as result:
        process = subprocess.Popen(
            command, cwd=checkout, stdout=result, stderr=subprocess.PIPE, text=True
        )
        assert process.stderr is not None
        for line in process.stderr:
            said.append(line)
            for name in (FIRST, AFTER):
                if line.startswith(name):
                    used.setdefault(name, cpu_seconds_of_children(process.pid))
        if process.wait():
            sys.exit(f"{checkout}: {''.join(said)}")
        result.seek(0)
        times: list[float] = json.load(result)["measurement"]["step_times_s"]
    return Run(median(times), (used[AFTER] - used[FIRST]) / len(times))


def cpu_seconds_of_children(parent: int) -> float:
    """Return the seconds that the children of a process, which are the ranks, have used so far."""
    ticks = 0
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:  # it has ended
            continue
        if int(fields[1]) == parent:
            ticks += int(fields[11]) + int(fields[12])
    return ticks / TICKS


def show(name: str, before: list[float], now: list[float]) -> None:
    """Print a row.

    Args:
        name: of the figure.
        before: seconds, round by round.
        now: of the same rounds.
    """
    ratios = [[b / a] for a, b in zip(before, now, strict=True)]
    bounds = interval(ratios)
    assert bounds is not None, "LEAST_ROUNDS are enough"
    found = Comparison(estimate(ratios), bounds.low, bounds.high)
    times = [f"{1e3 * median(each):.1f}" for each in (before, now)]
    ratio = f"{found.ratio:.3f} ({found.low:.3f} – {found.high:.3f})"
    print("|", " | ".join([name, *times, ratio, found.words("before", "now")]), "|")


def commit_of(checkout: Path) -> str:
    """Return the short hash of a checkout's commit, with a + where files differ from it."""
    command = ["git", "-C", str(checkout), "describe", "--always", "--dirty=+", "--exclude", "*"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


if __name__ == "__main__":
    main()
