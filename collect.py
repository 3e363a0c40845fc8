"""Turn results into the tables of a report.

    python collect.py > tables.md                     all tasks of the homework, as Markdown
    python collect.py --grid task4 --format csv       the raw values of one grid
    python collect.py --report report.pdf             the finished report; or report.html
    python collect.py --compare OLD_RESULTS           these results beside others, case by case

Exits with 1 where a table has a row without a measurement, or a case got slower than allowed.
"""

import argparse
import gc
import io
import os
import signal
import sys
from pathlib import Path

from report.compare import complaints, make_comparison
from report.counterparts import compare_sets, result_set
from report.load import Evidence, load_evidence
from report.markdown import render
from report.raw import render_csv, render_json
from report.sections import make_section
from report.selection import Selection, select
from report.title import make_document
from study.command_line import OneLineParser
from study.errors import ConfigError
from study.grid import known_grids, load_grids
from study.store import check_target, write_atomically


def main() -> int:
    arguments = parse_arguments()
    gc.disable()  # results by the thousand stay to the end; looking at them again takes a third
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # `collect.py | head` is no error
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8")  # whatever the locale: tables hold dashes
    try:
        check_options(arguments)
        evidence = load_evidence(arguments.results, complain)
        if arguments.compare is not None:
            return compare(arguments, evidence)
        grids = load_grids(arguments.grid or grids_to_show(evidence))
        selections = [selection for grid in grids for selection in select(grid, evidence)]
        if arguments.report is not None:
            write_report(arguments.report, selections)
        else:
            show(RENDER[arguments.format](selections))
    except ConfigError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    missing = [job for s in selections for row in s.rows for job in row.missing]
    if missing:
        complain(f"rows without a measurement: {len(missing)}; each says why")
    return 1 if missing else 0


def compare(arguments: argparse.Namespace, evidence: list[Evidence]) -> int:
    """Show the results beside others; 1 where some are missing or one got too slow."""
    for option, folder in (("--compare", arguments.compare), ("--results", arguments.results)):
        if not folder.is_dir():
            raise ConfigError(option, f"{folder} is no folder of results; name one")
    grids = load_grids(arguments.grid) if arguments.grid else []
    others = load_evidence(arguments.compare, complain)
    before = result_set(str(arguments.compare), others, grids)
    after = result_set(str(arguments.results), evidence, grids)
    rows = compare_sets(before, after)
    show(render([make_comparison(before, after, rows)]))
    problems = complaints(rows, arguments.fail_on_regression)
    for problem in problems:
        complain(problem)
    return 1 if problems else 0


def write_report(path: Path, selections: list[Selection]) -> None:
    """The finished document; only the one of its format is imported."""
    sections = [make_section(selection, with_figures=True) for selection in selections]
    document = make_document(selections, sections)
    if path.suffix == ".pdf":
        from report.pdf import render_pdf

        content = render_pdf(document)
    else:
        from report.html import render_html

        content = render_html(document).encode()
    try:
        write_atomically(path.resolve(), content, durable=False)
    except OSError as error:
        raise ConfigError("--report", f"{path} cannot be written: {error.strerror}") from None


def show(text: str) -> None:
    """The one thing on stdout."""
    try:
        print(text, end="", flush=True)
    except OSError as error:
        print(f"error: stdout: {error.strerror}; send the tables elsewhere", file=sys.stderr)
        os._exit(2)  # a second attempt to write, at the interpreter's end, would fail as well


def parse_arguments() -> argparse.Namespace:
    parser = OneLineParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--grid",
        action="append",
        metavar="GRID",
        help=f"one of {', '.join(known_grids())}, or a YAML file; may be given more than once; "
        "default: the homework, and what else was submitted",
    )
    parser.add_argument("--format", choices=tuple(RENDER), default="md")
    parser.add_argument("--results", type=Path, default=Path("results"), metavar="DIR")
    parser.add_argument(
        "--report",
        type=Path,
        metavar="FILE",
        help="write the finished report, with figures, to a .pdf or .html file",
    )
    parser.add_argument(
        "--compare",
        type=Path,
        metavar="DIR",
        help="show the results beside those of another folder, which were there before",
    )
    parser.add_argument(
        "--fail-on-regression",
        type=parse_percent,
        metavar="P%",
        help="with --compare: exit with 1 if a case is slower, by a verdict, and by that much",
    )
    return parser.parse_args()


def parse_percent(text: str) -> float:
    """`3%` as 0.03."""
    try:
        share = float(text.removesuffix("%")) / 100 if text.endswith("%") else -1.0
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a percentage from 0% to 100%, e.g. 3%")
    return share


def check_options(arguments: argparse.Namespace) -> None:
    """Refuse options that contradict one another, and a report that could not be written."""
    report = arguments.report
    if report is not None:
        if report.suffix not in (".pdf", ".html"):
            raise ConfigError("--report", f"{report} is neither .pdf nor .html; name one of them")
        check_target(report, "--report")
        if arguments.compare is not None or arguments.format != "md":
            raise ConfigError("--report", "stands alone; leave --compare and --format away")
    if arguments.fail_on_regression is not None and arguments.compare is None:
        raise ConfigError("--fail-on-regression", "needs --compare DIR, the results before")
    if arguments.compare is not None and arguments.format != "md":
        raise ConfigError("--format", f"{arguments.format} has no comparisons; leave it away")


def complain(text: str) -> None:
    """Everything that is no table goes to stderr."""
    print(f"note: {text}", file=sys.stderr)


def grids_to_show(evidence: list[Evidence]) -> list[str]:
    """The homework, and every grid outside of it that was submitted by name."""
    tasks = {grid.name for grid in load_grids(["homework"])}
    submitted = {submission.grid for e in evidence for submission in e.submissions}
    others = sorted(submitted - tasks)
    for name in others:
        if name not in known_grids():
            complain(f"grid {name} was submitted from a file; show it with --grid FILE")
    return ["homework", *(name for name in others if name in known_grids())]


def render_markdown(selections: list[Selection]) -> str:
    """The document as Markdown."""
    return render([make_section(selection) for selection in selections])


RENDER = {"md": render_markdown, "csv": render_csv, "json": render_json}


if __name__ == "__main__":
    sys.exit(main())
