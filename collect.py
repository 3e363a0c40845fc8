"""Turn results into tables, or into a report.

    python collect.py > tables.md                     everything that was submitted, as Markdown
    python collect.py --grid task4 --format csv       the values of one grid
    python collect.py --set dim=1024                  only the cases with this value
    python collect.py --report report.pdf             the report, with figures; or report.html
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
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from study.first_contact import first_contact

with first_contact():
    from report.compare.pairs import compare_sets, result_set
    from report.compare.section import blind_spots, complaints, make_comparison
    from report.data.export import render_csv, render_json
    from report.data.filters import filter_tables
    from report.data.load import ProfileResults, load_results
    from report.data.selection import GridTable, select_tables
    from report.formats.markdown import render
    from report.make import make_document
    from report.options import check_options, parse_options
    from study.cli import parse_overrides
    from study.errors import ConfigError
    from study.grid import known_grids, load_grids
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
        values = parse_overrides(options.set)
        profiles = load_results(options.results, complain)
        if options.compare is not None:
            return compare(options, profiles)
        grids = load_grids(options.grid or grids_to_show(profiles))
        grid_tables = [grid_table for grid in grids for grid_table in select_tables(grid, profiles)]
        grid_tables = filter_tables(grid_tables, values)
        if options.report is not None:
            write_report(options, grid_tables)
        else:
            show(RENDER[options.format](grid_tables))
    except ConfigError as error:
        tell(f"error: {error}")
        return 2
    missing = [job for s in grid_tables for row in s.rows for job in row.missing]
    if missing:
        complain(f"rows without a measurement: {len(missing)}; each says why")
    return 1 if missing else 0


def compare(options: Namespace, profiles: list[ProfileResults]) -> int:
    """Show the results compared with others; return 1 if some are missing or one got too slow."""
    grids = load_grids(options.grid) if options.grid else []
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
        grid_tables, options.title, options.author, with_figures=True, with_details=True
    )
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


def grids_to_show(profiles: list[ProfileResults]) -> list[str]:
    """Return the homework, and every grid outside of it that was submitted by name."""
    tasks = {grid.name for grid in load_grids(["homework"])}
    submitted = {submission.grid for p in profiles for submission in p.submissions}
    others = sorted(submitted - tasks)
    for name in others:
        if name not in known_grids():
            complain(f"grid {name} was submitted from a file; show it with --grid FILE")
    return ["homework", *(name for name in others if name in known_grids())]


def render_markdown(grid_tables: list[GridTable]) -> Iterator[str]:
    """Yield the document as Markdown."""
    document = make_document(grid_tables)
    return render(document.sections, document.method)


RENDER: dict[str, Callable[[list[GridTable]], Iterable[str]]] = {
    "md": render_markdown,
    "csv": lambda grid_tables: [render_csv(grid_tables)],
    "json": lambda grid_tables: [render_json(grid_tables)],
}


def leave(status: int) -> NoReturn:
    """Exit at once: freeing results by the thousand takes a third of a second."""
    os._exit(status)  # stdout and stderr have been flushed


if __name__ == "__main__":
    with first_contact():  # of what one format alone needs, too
        leave(main())
