"""The folder to hand in: homework.py, report.pdf, tables.md and the results that they show."""

import os
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from report.data.load import ProfileResults
from report.data.selection import GridTable
from report.formats.markdown import render
from report.hand_in.source import make_homework
from report.make import make_document
from study.case import Case
from study.errors import ConfigError
from study.storage.files import read_file
from study.storage.store import Store

CODE, REPORT, TABLES, RESULTS = NAMES = ("homework.py", "report.pdf", "tables.md", "results")
MOST_BYTES = 1024**3  # of a result's file, which was read before
# What homework.py trains with.
TRAINS = {"dtype": "float32", "optimizer": "sgd", "execution": "eager", "recompute": "none"}
ABOUT_THE_CODE = (
    f"The code handed in is `{CODE}`: one file that runs, with the listings of this report in it. "
    "Its timing loop is short; the step times of this report come from longer runs of the same "
    "model."
)


def check_hand_in(folder: Path, results: Path) -> None:
    """Check that the folder is new, empty, or an earlier hand-in.

    Raises:
        ConfigError: It holds other things, or the measured results themselves.
    """
    target, measured = folder.resolve(), results.resolve()
    if target == measured or target in measured.parents or measured in target.parents:
        raise ConfigError("--hand-in", f"{folder} and {results} contain one another; name another")
    if not target.parent.is_dir():
        raise ConfigError("--hand-in", f"{target.parent} does not exist; make it first")
    if not target.exists():
        return
    if not target.is_dir():
        raise ConfigError("--hand-in", f"{folder} is not a folder; name another")
    found = sorted(os.listdir(target))
    if found and not _is_hand_in(target, found):
        others = ", ".join([name for name in found if name not in NAMES][:3])
        problem = f"holds other things ({others})" if others else "is not a whole hand-in"
        raise ConfigError("--hand-in", f"{folder} {problem}; name a new folder")


def write_hand_in(
    folder: Path,
    tables: Sequence[GridTable],
    profiles: Sequence[ProfileResults],
    title: str | None,
    author: str | None,
) -> list[str]:
    """Write the folder; an earlier hand-in is replaced as a whole. Return notes for the student.

    Args:
        folder: The folder; see `check_hand_in`.
        tables: Tables of the homework's grids.
        profiles: Where the results of the tables are.
        title: Replaces the default title.
        author: Named in the report.

    Raises:
        ConfigError: It cannot be written, or its homework.py was edited since it was written.
    """
    from report.formats.pdf import render_pdf  # imported here: few command lines need it

    case = _typical_case(tables)
    code = make_homework(
        {"DIM": case.dim, "DEPTH": case.depth, "BATCH_SIZE": case.batch_size, "SEED": case.seed}
    )
    target = folder.resolve()
    _check_unedited(target / CODE, code)
    report = make_document(list(tables), title, author, with_figures=True, with_details=True)
    report = replace(report, method=[*report.method, ABOUT_THE_CODE])
    document = make_document(list(tables), title, author)
    try:
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}.") as work:
            made = Path(work) / "new"
            made.mkdir()
            (made / CODE).write_text(code, encoding="utf-8")
            (made / REPORT).write_bytes(render_pdf(report))
            about, found = document.about, document.checks
            text = "".join(render(document.sections, document.method, about, found))
            (made / TABLES).write_text(text, encoding="utf-8")
            _copy_results(made / RESULTS, tables, profiles)
            _swap(made, target, Path(work) / "old")
    except OSError as error:
        raise ConfigError("--hand-in", f"{folder} cannot be written: {error.strerror}") from None
    others = [f"{key} {getattr(case, key)}" for key, v in TRAINS.items() if getattr(case, key) != v]
    how = ", ".join(others)
    return [f"{CODE} trains in float32 with SGD; the results have {how}"] if others else []


def _swap(made: Path, target: Path, old: Path) -> None:
    """Put what was made in the target's place, and what was there into `old`."""
    if target.exists():
        target.rename(old)
    try:
        made.rename(target)
    except OSError:
        if old.exists():
            old.rename(target)
        raise


def _is_hand_in(folder: Path, found: Sequence[str]) -> bool:
    """Return True if the folder has exactly what `write_hand_in` makes."""
    inside = [path for path in (folder / RESULTS).glob("*/*") if path.suffix != ".json"]
    return found == sorted(NAMES) and not inside


def _check_unedited(path: Path, code: str) -> None:
    if path.exists() and path.read_bytes() != code.encode():
        problem = f"{path} was edited, or is of other sizes; move it away or name a new folder"
        raise ConfigError("--hand-in", problem)


def _typical_case(tables: Sequence[GridTable]) -> Case:
    """Return a case of task 4, which runs on more GPUs than the base code; else the last one."""
    of_task4 = [table for table in tables if table.grid.name == "task4"]
    return (of_task4 or tables[-1:])[0].rows[0].case


def _copy_results(
    folder: Path, tables: Sequence[GridTable], profiles: Sequence[ProfileResults]
) -> None:
    stores: dict[str | None, Store] = {profile.profile: profile.store for profile in profiles}
    shown = {
        (table.profile, job.case)
        for table in tables
        for row in table.rows
        for job in row.jobs
        if job.result is not None
    }
    for name, case in shown:
        source = stores[name].result_path(case)
        target = folder / source.parent.name / source.name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(read_file(source, most=MOST_BYTES))
