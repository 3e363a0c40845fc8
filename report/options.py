"""Options of collect.py, and checks that they do not contradict one another."""

import argparse
from pathlib import Path

from study.cli import OneLineParser
from study.errors import ConfigError
from study.grid import known_grids, option_for
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
        "(default: every grid of these that was submitted)")  # fmt: skip
    add("--set", action="append", default=[], metavar="KEY=VALUE",
        help="show only cases with this value, e.g. dim=1024, and cases whose schedule does not "
        "have the key; may be repeated (default: all cases)")  # fmt: skip
    add("--format", choices=("md", "csv", "json"), default="md",
        help="md: tables and answers in Markdown; csv, json: values of every job "
        "(default: md)")  # fmt: skip
    add("--results", type=Path, default=RESULTS, metavar="DIR",
        help="the results to show: a folder with a folder for each profile, or one profile's "
        "(default: results/ in this folder)")  # fmt: skip
    add("--report", type=Path, metavar="FILE",
        help="write the report, with figures, to a .pdf or .html file "
        "(default: tables on stdout)")  # fmt: skip
    add("--author", metavar="NAME", help="with --report: its author (default: none)")
    add("--title", metavar="TEXT", help="with --report: its title (default: that of the grid)")
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
    for name in ("author", "title"):
        _check_text(f"--{name}", getattr(options, name), report)
    if options.fail_on_regression is not None and options.compare is None:
        raise ConfigError("--fail-on-regression", "needs --compare DIR")
    if options.compare is not None and options.format != "md":
        raise ConfigError("--format", f"{options.format} has no comparisons; leave it out")
    if options.compare is not None and options.set:
        raise ConfigError("--set", "selects rows of tables; use --grid to select cases to compare")
    if options.compare is not None:
        check_results(options.compare, "--compare")
    check_results(options.results)


def _check_text(option: str, text: str | None, report: Path | None) -> None:
    if text is not None and report is None:
        raise ConfigError(option, "needs --report FILE")
    if text is not None and not one_line(text):
        raise ConfigError(option, f"{quoted(text)} is empty")
