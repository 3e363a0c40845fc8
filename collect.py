"""Turn results into tables, or into a report.

    python collect.py > tables.md                     everything that was submitted, as Markdown
    python collect.py --grid task4 --format csv       the values of one grid
    python collect.py --set dim=1024                  only the cases with this value
    python collect.py --report report.pdf             the report, with figures; or report.html
    python collect.py --hand-in hand-in               the homework: code, report, tables, results
    python collect.py --compare OLD_RESULTS           these results against older ones

Exit codes: 0 everything that was to be shown is measured; 1 a case has no measurement, a set that
is compared lacks a case, or --fail-on-regression fails; 2 the input or the set-up is wrong.
"""

import gc
import io
import os
import signal
import sys
from argparse import Namespace
from collections.abc import Iterable
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import NoReturn

from study.first_contact import first_contact

with first_contact():
    from report.compare.pairs import compare_sets, result_set
    from report.compare.section import blind_spots, complaints, make_comparison
    from report.data.grids.calibrations import calibration_tables, check_calibrated
    from report.data.grids.submitted import (
        Shown,
        narrowed,
        only_homework,
        select_named,
        select_submitted,
        without_unstarted,
    )
    from report.data.load import ProfileResults, load_results
    from report.data.selection import GridTable
    from report.export import render_csv, render_json
    from report.formats.markdown import render
    from report.hand_in.folder import check_hand_in, write_hand_in
    from report.make import make_document
    from report.options import check_options, parse_options
    from study.calibration.grid import NAME as CALIBRATION
    from study.calibration.grid import load_all
    from study.command_line.parser import parse_overrides
    from study.errors import ConfigError
    from study.grids.grid import Grid
    from study.storage.files import write_atomically
    from study.text import printable


def main() -> int:
    """Run collect.py and return its exit status."""
    options = parse_options(__doc__)
    gc.disable()  # thousands of results stay to the end; going over them takes a third of the time
    # `collect.py | head` and Ctrl-C end it without a traceback.
    for interruption in (signal.SIGPIPE, signal.SIGINT):
        signal.signal(interruption, signal.SIG_DFL)
    if isinstance(sys.stdout, io.TextIOWrapper):  # whatever the locale: tables hold dashes
        sys.stdout.reconfigure(encoding="utf-8", errors="replace")
    try:
        check_options(options)
        if options.hand_in is not None:
            check_hand_in(options.hand_in, options.results)
        grids = load_all(options.grid or [])
        profiles = load_results(options.results, complain)
        if options.compare is not None:
            return compare(options, profiles, grids)
        if not profiles:
            problem = f"{options.results} holds no results; run submit.py, or name their folder"
            raise ConfigError("--results", problem)
        shown = select(options, profiles, grids)
        write(options, shown, profiles)
    except ConfigError as error:
        tell(f"error: {error}")
        return 2
    missing = [job for table in shown.tables for row in table.rows for job in row.missing]
    if missing:
        complain(f"rows without a measurement: {len(missing)}; each says why")
    return 1 if missing or (options.grid and shown.not_submitted) else 0


def select(options: Namespace, profiles: list[ProfileResults], grids: list[Grid]) -> Shown:
    """Return the tables of the grids that were named, or else of all that was submitted.

    Args:
        options: The command line.
        profiles: All that was loaded.
        grids: Those that the command line names.

    Raises:
        ConfigError: There is nothing to show.
    """
    values = parse_overrides(options.set)
    calibrations = calibration_tables(profiles)
    if grids:
        others = [grid for grid in grids if grid.name != CALIBRATION]
        shown = Shown(select_named(others, profiles), [])
        if len(others) < len(grids):
            check_calibrated(profiles, options.results)
            shown = shown.with_tables(calibrations)
        if options.format == "md":
            shown = without_unstarted(shown)
    else:
        shown = select_submitted(profiles).with_tables(calibrations)
    if options.hand_in is not None:
        shown = only_homework(shown)
    if shown.unnamed:
        complain(f"results of no known grid: {shown.unnamed}; show them with --grid FILE")
    if not shown.tables:
        raise ConfigError("--results", f"{options.results} has nothing of the homework, or of any "
                          "grid that is known; name a grid with --grid FILE")  # fmt: skip
    return narrowed(shown, values) if values else shown


def write(options: Namespace, shown: Shown, profiles: list[ProfileResults]) -> None:
    """Write what the options ask for: tables, values, a report or the folder to hand in.

    Args:
        options: The command line.
        shown: What to show.
        profiles: All that was loaded.
    """
    left_out = f"Not submitted: {'; '.join(shown.not_submitted)}." if shown.not_submitted else ""
    if left_out and (options.format != "md" or options.report or options.hand_in):
        complain(left_out)
    if options.hand_in is not None:
        notes = write_hand_in(
            options.hand_in, shown.tables, profiles, options.title, options.author
        )
        for note in notes:
            complain(note)
    elif options.report is not None:
        write_report(options, shown.tables)
    elif options.format == "md":
        document = make_document(
            shown.tables, with_details=options.details, columns=options.columns
        )
        if left_out:
            show(
                chain(
                    render(document.sections, about=document.about, checks=document.checks),
                    [f"\n{left_out}"],
                    render([], document.method),
                )
            )
        else:
            about, found = document.about, document.checks
            show(render(document.sections, document.method, about, found))
    else:
        render_values = {"csv": render_csv, "json": render_json}[options.format]
        show([render_values(shown.tables, with_raw=options.raw)])


def compare(options: Namespace, profiles: list[ProfileResults], grids: list[Grid]) -> int:
    """Show the results compared with others; return 1 if some are missing or one got too slow.

    Args:
        options: The command line.
        profiles: The results.
        grids: Only their cases; all if there are none.
    """
    others = load_results(options.compare, complain)
    before = result_set(str(options.compare), others, grids)
    after = result_set(str(options.results), profiles, grids)
    rows = compare_sets(before, after)
    show(render([make_comparison(before, after, rows)]))
    problems = complaints(rows, options.fail_on_regression)
    for line in [*problems, *blind_spots(rows, options.fail_on_regression)]:
        complain(line)
    return 1 if problems else 0


def write_report(options: Namespace, grid_tables: list[GridTable]) -> None:
    """Write the report; only the format it needs is imported."""
    path: Path = options.report
    document = make_document(
        grid_tables, options.title, options.author,
        with_figures=True, with_details=True, columns=options.columns,
    )  # fmt: skip
    if path.suffix == ".pdf":
        from report.formats.pdf import render_pdf

        content = render_pdf(document)
    else:
        from report.formats.html import render_html

        content = render_html(document).encode()
    try:
        write_atomically(path.resolve(), content, durable=False)
    except OSError as error:
        raise ConfigError("--report", f"{path} cannot be written: {error.strerror}") from None


def show(pieces: Iterable[str]) -> None:
    """Write the output to stdout."""
    if sys.stdout is None:
        raise ConfigError("stdout", "is closed; send the tables somewhere")
    try:
        sys.stdout.writelines(pieces)
        sys.stdout.flush()
    except OSError as error:
        tell(f"error: stdout: {error.strerror}; send the tables elsewhere")
        os._exit(2)  # a second attempt to write, at the interpreter's end, would fail as well


def complain(text: str) -> None:
    """Write a note to stderr."""
    tell(f"note: {printable(text)}")


def tell(line: str) -> None:
    """Write a line to stderr, if it is open."""
    if sys.stderr is not None:
        with suppress(OSError):
            print(line, file=sys.stderr, flush=True)


def leave(status: int) -> NoReturn:
    """Exit at once: freeing results by the thousand takes a third of a second."""
    os._exit(status)  # stdout and stderr have been flushed


if __name__ == "__main__":
    with first_contact():  # of what one format alone needs, too
        leave(main())
