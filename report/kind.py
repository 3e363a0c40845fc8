"""One kind of table: all its parts, and what every kind shows and says.

Figures are imported when they are drawn, since matplotlib takes half a second.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from report.answers import missing as no_result
from report.answers.of_gpus import asked
from report.answers.of_model import losses
from report.data.measured import MeasuredCase
from report.data.selection import GridTable
from report.document import Answer, Figure, Table
from report.tables.details import layers as layers_as_measured

Results = list[MeasuredCase]
Drawings = Sequence[Figure | None]  # None where there is nothing to draw


@dataclass(frozen=True)
class Kind:
    """One kind of table. No part has a default, so that none is forgotten."""

    question: str  # begins the answer where nothing was measured
    opening: Callable[[GridTable], list[Answer]]  # answers of all cases, failed ones included
    columns: Sequence[str]  # keys of report.tables.columns; those that say nothing are left out
    answers: Callable[[Results], list[Answer]]
    headlines: Callable[[Results], list[str]]  # sentences of the first page, best first
    figures: Callable[[Results], Drawings]
    listings: Sequence[tuple[str, str]]  # source files, and the function of each to show
    detail_tables: Sequence[Callable[[Results], Table]]  # evidence for the appendix
    detail_figures: Callable[[Results], Drawings]
    facts: Callable[[Results], list[str]]  # lines above the answers, after those of every kind


def remarks(grid_table: GridTable) -> list[Answer]:
    """Return what every kind says of cases that its grid asks for and nobody measured."""
    return asked.answer(grid_table)


def missing(grid_table: GridTable) -> list[Answer]:
    """Return what every kind says of cases that were not measured."""
    return no_result.answer(grid_table.rows)


def layer_tables(results: Results) -> list[Table]:
    """Return what every kind shows in detail of layers that are not all equal."""
    return [layers_as_measured.make_table(results)]


def layer_figures(results: Results) -> Drawings:
    """Return the drawing of such layers."""
    from report.figures import layer_profile

    return [layer_profile.make_figure(results)]


def checks(results: Results) -> list[str]:
    """Return what checks of the models found: warnings, then how training differs; each once."""
    return [*losses.warnings(results), *losses.notes(results)]
