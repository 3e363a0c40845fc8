"""Time until the median of every case of a grid is known to ±0.5 %, from its results.

    python submit.py --grid homework --results R && python benchmarks/precision.py R

Seconds are those of the timed steps themselves. Markdown on stdout.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from report.data.load import load_results
from study.statistics.samples import Interval, estimate


def main() -> None:
    """Print a row for each case."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", type=Path, help="a folder of results")
    results = parser.parse_args().results
    print(
        "| case | emulated | steps | seconds | half-width | stopped by |\n|---|---|---|---|---|---|"
    )
    for evidence in load_results(results, sys.exit):
        for case, result in evidence.results.items():
            measurement = result.measurement
            if measurement is None or measurement.median_ci_s is None:
                print(f"| {case.case_id} | | | | – | {result.outcome} |")
                continue
            times = measurement.step_times_s
            width = Interval(*measurement.median_ci_s).half_width(estimate([times]))
            what = f"depth {case.depth}, {case.gpus} GPUs, {case.split} | {result.emulated}"
            took = f"{len(times)} | {sum(times):.1f} | {100 * width:.2f} %"
            print(f"| {what} | {took} | {measurement.stopped_by} |")


if __name__ == "__main__":
    main()
