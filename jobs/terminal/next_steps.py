"""Suggest the next commands: for the tables, or to run again what failed."""

import shlex
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jobs.job_log import tail_of
from jobs.status.case_status import CaseStatus
from study.text import one_line, printable

CASES_SHOWN = 5  # with the ends of their logs
LINES_SHOWN = 6
WIDTH = 240


@dataclass(frozen=True)
class CommandLine:
    """The options by which a person chose the cases, so that our commands choose the same.

    `choices` are those `--set` that have several values, as cases that are predicted have.
    """

    grids: Sequence[str] = ()
    sets: Sequence[str] = ()
    repeats: int = 1
    retries: int = 0
    cluster: str = "auto"
    results: Path = Path("results")
    calibrated: Sequence[str] = ()
    choices: Sequence[str] = ()

    def submit(self, *more: str) -> str:
        """Return the command line of submit.py with these cases and more options."""
        repeats = ["--repeats", str(self.repeats)] if self.repeats > 1 else []
        cluster = ["--cluster", self.cluster] if self.cluster != "auto" else []
        retries = ["--retries", str(self.retries)] if self.retries and "--watch" in more else []
        where = self._where()
        return _line("submit.py", *self._cases(), *repeats, *cluster, *where, *more, *retries)

    def collect(self) -> str:
        """Return the command line of collect.py that makes the tables of these cases."""
        cases = ["--grid", *self.grids] if self.calibrated else self._cases()
        return f"{_line('collect.py', *cases, *self._where())} > tables.md"

    def calibrate(self) -> str:
        """Return the command line that calibrates for these cases; its time is its own."""
        cases = [word for grid in self.grids for word in ("--for", grid)]
        return _line("submit.py", "--grid", "calibration", *cases, *self._of_any_time())

    def predict(self) -> str:
        """Return the command line that predicts what these calibrations are for."""
        cases = [word for grid in self.calibrated for word in ("--grid", grid)]
        return _line("submit.py", *cases, *self._of_any_time(), "--predict")

    def _of_any_time(self) -> list[str]:
        """Return the options that a grid and its calibration have in common."""
        kept = [t for t in (*self.sets, *self.choices) if not t.startswith("time_limit_s=")]
        sets = [word for text in kept for word in ("--set", text)]
        cluster = ["--cluster", self.cluster] if self.cluster != "auto" else []
        return [*sets, *cluster, *self._where()]

    def _cases(self) -> list[str]:
        grids = [word for grid in self.grids for word in ("--grid", grid)]
        grids += [word for grid in self.calibrated for word in ("--for", grid)]
        sets = (*self.sets, *self.choices) if self.calibrated else self.sets
        return grids + [word for text in sets for word in ("--set", text)]

    def _where(self) -> list[str]:
        return ["--results", str(self.results)] if self.results != Path("results") else []


def _line(script: str, *words: str) -> str:
    return shlex.join(["python", script, *words])


def print_next_steps(statuses: list[CaseStatus], typed: CommandLine) -> None:
    """Print the end of each failed case's log and one command that runs them all again.

    Where none failed, print the command that makes the tables.
    """
    failed = [o for o in statuses if o.outcome not in (None, "ok")]
    for line in _waiting(statuses):
        print(line)
    for seen in failed[:CASES_SHOWN]:
        print("\n".join(["", *_end_of_log(seen)]))
    if len(failed) > CASES_SHOWN:
        print(f"\nand {len(failed) - CASES_SHOWN} more; --status lists them with their logs.")
    if failed and typed.grids:
        print(f"\nOnce the cause is fixed, run again what failed:  {typed.submit(*_again(failed))}")
    if any(o.outcome == "ok" or o.has_earlier_result for o in statuses):
        print(f"\nTables:  {typed.collect()}")
        if typed.calibrated:
            print(f"Predictions:  {typed.predict()}")


def _waiting(statuses: list[CaseStatus]) -> list[str]:
    """Return a line for each reason for which jobs wait for a person, with what to do."""
    reasons: dict[str, list[str]] = defaultdict(list)
    for o in statuses:
        if o.is_live and o.outcome is None:
            reasons[o.reason or o.state or "unknown"].append(o.submission.job_id)
    return [
        one_line(
            f"Waiting for a person ({reason}): {' '.join(jobs)}; see scontrol show job, and "
            "release or cancel them"
        )
        for reason, jobs in reasons.items()
    ]


def _end_of_log(seen: CaseStatus) -> list[str]:
    """Return what the last lines of a failed case's log say, one line for each."""
    lines = [line.rstrip() for line in tail_of(seen.log) if line.strip()]
    heading = f"{seen.submission.case_id} ({seen.outcome}), the end of {seen.log}:"
    if not lines:
        return [f"{seen.submission.case_id} ({seen.outcome}) left no log."]
    return [one_line(heading), *(f"    {_cut(line)}" for line in lines[-LINES_SHOWN:])]


def _cut(line: str) -> str:
    shown = printable(line)
    return shown if len(shown) <= WIDTH else f"{shown[:WIDTH]} …"


def _again(failed: list[CaseStatus]) -> list[str]:
    """Return the options that run just these again, those with an earlier result, too."""
    outcomes = dict.fromkeys(o.outcome for o in failed if o.outcome is not None)
    return ["--only", ",".join(outcomes), "--watch"]
