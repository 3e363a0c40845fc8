"""Predictions of grids from the calibrations of an earlier call, as files to commit."""

import re
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.machines.batches import MACHINE
from benchmarks.machines.run import ROOT, SUBMIT
from study.errors import ConfigError

ROW = re.compile(r"[\w-]+-[0-9a-f]{8}  ")
NOT_PREDICTED = re.compile(r"no prediction of \S+(?: and (\d+) more)?: ")
TO_DO = re.compile(r"; run python submit\.py .*")  # with paths of this machine


@dataclass(frozen=True)
class Predicted:
    """What is predicted of a grid.

    Attributes:
        grid: its name.
        lines: of its file: a row for each predicted case, and why others have none.
    """

    grid: str
    lines: list[str]

    @property
    def points(self) -> int:
        """How many cases are given as a point with an interval."""
        return self._rows() - self.bounds

    @property
    def bounds(self) -> int:
        """How many cases are given as "at least" alone."""
        return sum("launch-bound" in line for line in self.lines if ROW.match(line))

    @property
    def without(self) -> int:
        """How many cases have no prediction."""
        found = (NOT_PREDICTED.match(line) for line in self.lines)
        return sum(1 + int(each[1] or 0) for each in found if each)

    def _rows(self) -> int:
        return sum(1 for line in self.lines if ROW.match(line))


def predict(grids: Iterable[Path], results: Path, profiles: Path) -> list[Predicted]:
    """Return the predictions of grids, in their order; nothing is submitted.

    Args:
        grids: their files.
        results: a folder with calibrations.
        profiles: a file with the profile of the machine.

    Raises:
        ConfigError: submit.py refused a grid.
    """
    return [Predicted(path.stem, _lines(path, results, profiles)) for path in grids]


def _lines(grid: Path, results: Path, profiles: Path) -> list[str]:
    """Return what submit.py says of a grid, without paths."""
    command = [sys.executable, str(SUBMIT), str(profiles), "--grid", str(grid), "--predict"]
    done = subprocess.run(
        [*command, "--results", str(results), "--cluster", MACHINE],
        cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True,
    )  # fmt: skip
    if done.returncode not in (0, 2) or done.stderr.startswith("error:"):
        raise ConfigError(grid.stem, done.stderr.strip())
    return [TO_DO.sub("", line) for line in (done.stdout + done.stderr).splitlines()]


def write(found: Iterable[Predicted], folder: Path) -> list[str]:
    """Write a file for each grid of which something is predicted; return a line for each grid.

    Args:
        found: the predictions.
        folder: of the files.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lines = ["| grid | points | launch-bound | without a prediction |", "|---|---|---|---|"]
    for each in found:
        if each.points or each.bounds:
            (folder / f"{each.grid}.txt").write_text("\n".join(each.lines) + "\n")
        lines.append(f"| {each.grid} | {each.points} | {each.bounds} | {each.without} |")
    return lines
