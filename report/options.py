"""Options of collect.py, and checks that they do not contradict one another."""

import argparse
from pathlib import Path

from study.command_line.parser import OneLineParser
from study.errors import ConfigError
from study.grids.file import known_grids, option_for
from study.paths import RESULTS, check_results
from study.quoting import quoted
from study.storage.files import check_target
from study.text import one_line


def parse_options(description: str | None) -> argparse.Namespace:
    """Parse the command line; exit on an unknown option."""
    parser = OneLineParser(
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        option_for=option_for,
    )
    add = parser.add_argument
    add("--grid", action="append", metavar="GRID",
        help=f"one of {', '.join(known_grids())}, or a YAML file; may be repeated "
        "(default: every grid that was submitted)")  # fmt: skip
    add("--set", action="append", default=[], metavar="KEY=VALUE",
        help="show only cases with this value, e.g. dim=1024, and cases whose schedule does not "
        "have the key; may be repeated (default: all cases)")  # fmt: skip
    add("--format", choices=("md", "csv", "json"), default="md",
        help="md: tables and answers in Markdown; csv, json: values of every job "
        "(default: md)")  # fmt: skip
    add("--raw", action="store_true",
        help="with --format csv or json: all values of every result, too "
        "(default: the columns of docs/results.md)")  # fmt: skip
    add("--details", action="store_true",
        help="also the tables of the appendix, in Markdown (default: in reports only)")  # fmt: skip
    add("--columns", type=parse_columns, metavar="A,B,C",
        help="columns of the tables, e.g. step_time,memory; an unknown one lists those that exist "
        "(default: those that the grid's question needs)")  # fmt: skip
    add("--results", type=Path, default=RESULTS, metavar="DIR",
        help="the results to show: a folder with a folder for each profile, or one profile's "
        "(default: results/ in this folder)")  # fmt: skip
    add("--report", type=Path, metavar="FILE",
        help="write the report, with figures, to a .pdf or .html file "
        "(default: tables on stdout)")  # fmt: skip
    add("--hand-in", type=Path, metavar="DIR",
        help="write what the homework wants handed in to a new folder: homework.py, report.pdf, "
        "tables.md and the results")  # fmt: skip
    add("--author", metavar="NAME",
        help="with --report or --hand-in: author of the report (default: none)")  # fmt: skip
    add("--title", metavar="TEXT",
        help="with --report or --hand-in: title of the report "
        "(default: that of the grid)")  # fmt: skip
    add("--compare", type=Path, metavar="DIR",
        help="compare --results with older results in DIR, case by case")  # fmt: skip
    add("--fail-on-regression", type=parse_percent, metavar="P%",
        help="with --compare: exit with 1 if a case is at least P percent slower and the test "
        "confirms it, if a case or a job could not be compared, or if P percent could not have "
        "been seen in any case; 0%% to 100%% (default: no limit)")  # fmt: skip
    return parser.parse_args()


def parse_percent(text: str) -> float:
    """Parse `3%` as 0.03."""
    try:
        share = float(text.removesuffix("%")) / 100 if text.endswith("%") else -1.0
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise argparse.ArgumentTypeError(
            f"{quoted(text)} is not a percentage from 0% to 100%, e.g. 3%"
        )
    return share


def parse_columns(text: str) -> list[str]:
    """Parse `a,b` as a list of names."""
    names = [name.strip() for name in text.split(",")]
    if not all(names):
        raise argparse.ArgumentTypeError(f"{quoted(text)} is not a list of names, e.g. a,b,c")
    return names


def check_options(options: argparse.Namespace) -> None:
    """Check options, results folders and the report's path before anything is read.

    Raises:
        ConfigError: Options contradict one another, there are no results, or the report cannot be
            written.
    """
    report = options.report
    if report is not None:
        if report.suffix not in (".pdf", ".html"):
            raise ConfigError("--report", f"{report} is neither .pdf nor .html; use one of them")
        check_target(report, "--report")
        if options.compare is not None or options.format != "md":
            raise ConfigError("--report", "cannot be combined with --compare or --format")
    has_report = report is not None or options.hand_in is not None
    for name in ("author", "title"):
        _check_text(f"--{name}", getattr(options, name), has_report)
    _check_combinations(options)
    if options.fail_on_regression is not None and options.compare is None:
        raise ConfigError("--fail-on-regression", "needs --compare DIR")
    if options.compare is not None and options.format != "md":
        raise ConfigError("--format", f"{options.format} has no comparisons; leave it out")
    if options.compare is not None and options.set:
        raise ConfigError("--set", "selects rows of tables; use --grid to select cases to compare")
    if options.compare is not None:
        check_results(options.compare, "--compare")
    check_results(options.results)


def _check_combinations(options: argparse.Namespace) -> None:
    """Refuse options that another one leaves without effect."""
    has_values = options.format != "md"
    if options.raw and not has_values:
        raise ConfigError("--raw", "needs --format csv or json")
    if options.details and (has_values or options.report or options.hand_in or options.compare):
        raise ConfigError("--details", "is for Markdown tables; reports have the details anyway")
    if options.columns and (has_values or options.hand_in or options.compare):
        raise ConfigError("--columns", "is for the tables in Markdown and reports; leave it out")
    if options.hand_in is not None:
        for name in ("grid", "report", "compare"):
            if getattr(options, name):
                raise ConfigError(f"--{name}", "cannot be combined with --hand-in")
        if has_values:
            raise ConfigError("--format", "cannot be combined with --hand-in")


def _check_text(option: str, text: str | None, has_report: bool) -> None:
    if text is not None and not has_report:
        raise ConfigError(option, "needs --report FILE or --hand-in DIR")
    if text is not None and not one_line(text):
        raise ConfigError(option, f"{quoted(text)} is empty")
