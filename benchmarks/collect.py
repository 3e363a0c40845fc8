"""Time and memory of collect.py with many results.

    python benchmarks/collect.py [10000]

Measures one small case, and writes it as the result of that many cases of a grid.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import msgspec

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from study.case import Case
from study.grids.file import load_grids
from study.paths import ROOT
from study.results.file import decode, encode
from study.results.result import Result
from study.storage.store import Store

GPUS = 2
STEPS = list(range(100, 200))


def main() -> None:
    """Print a row for each kind of table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "count",
        type=int,
        nargs="?",
        default=10_000,
        help="how many results, a multiple of 100 (default: 10000)",
    )
    count = parser.parse_args().count
    print("| results | table | seconds | peak memory |\n|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for table in ("step_time", "memory", "transfers"):
            grid = Path(folder) / f"{table}.yaml"
            grid.write_text(
                f"table: {table}\naxes: {{seed: {list(range(count // 100))}, steps: {STEPS}}}\n"
                f"model: {{depth: 20, gpus: {GPUS}, dim: 64, batch_size: 8}}\n"
                "measure: {warmup_steps: 5}\n"
            )
            if table == "step_time":
                write_results(Path(folder), load_grids([str(grid)])[0].cases())
            show(count, table, "--grid", str(grid), "--results", folder)


def write_results(folder: Path, cases: list[Case]) -> None:
    """Measure the first case, and write its numbers for all cases."""
    first = cases[0]
    options = [f"--{key.replace('_', '-')}={value}" for key, value in first.as_dict().items()]
    command = [sys.executable, "-m", "mp", "--device", "cpu", *options]
    result = decode(subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout)
    store = Store(folder, "local")
    store.folder.mkdir()
    for case in cases:
        same: Result = msgspec.structs.replace(result, case=case, case_id=case.case_id)
        store.result_path(case).write_bytes(encode(same))


def show(count: int, table: str, *arguments: str) -> None:
    """Run collect.py once and print a row of the table.

    Args:
        count: Number of results.
        table: Kind of table.
        *arguments: Command line of collect.py.
    """
    started = time.perf_counter()
    command = [sys.executable, str(ROOT / "collect.py"), *arguments]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, cwd=ROOT)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    assert os.waitstatus_to_exitcode(status) == 0
    print(f"| {count} | {table} | {seconds:.2f} | {usage.ru_maxrss / 1024:.0f} MiB |", flush=True)


if __name__ == "__main__":
    main()
