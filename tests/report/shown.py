"""What the report shows of a folder of results, as a test looks at it."""

from pathlib import Path

import pytest

from report.data.load import load_results
from report.data.selection import select_tables
from report.document import Section, Table
from report.sections import make_headlines, make_section
from study.grids.file import load_grids
from tests.report.made_up import write


def sections(folder: Path, name: str = "task4") -> list[Section]:
    """Every table of a grid; nothing in the folder may be complained of."""
    profiles = load_results(folder, pytest.fail)
    return [make_section(s) for grid in load_grids([name]) for s in select_tables(grid, profiles)]


def only_section(folder: Path, name: str = "task4") -> Section:
    """The one table of a grid."""
    (section,) = sections(folder, name)
    return section


def shown_in(folder: Path, text: str, *results) -> tuple[Section, list[str]]:
    """The one table of a grid of one's own, written as in its file, and its headlines."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "mine.yaml"
    path.write_text(text)
    write(folder / "results", "slurm", *results)
    (grid,) = load_grids([str(path)])
    (table,) = select_tables(grid, load_results(folder / "results", pytest.fail))
    return make_section(table), make_headlines(table)


def text_of(section: Section) -> str:
    """All sentences of its answers, in one line."""
    return " ".join(sentences(section))


def answer_of(folder: Path, name: str, *results) -> str:
    """The sentences below the one table of these results."""
    write(folder, "slurm", *results)
    return "\n".join(sentences(only_section(folder, name)))


def sentences(section: Section) -> list[str]:
    """All sentences of its answers."""
    return [sentence for answer in section.answers for sentence in answer.sentences]


def details_of(folder: Path, name: str) -> dict[str, Table]:
    """The tables behind the answers, by the words of their caption up to a comma."""
    return {table.caption.split(",")[0].split(" of a")[0].split(":")[0]: table
            for table in only_section(folder, name).details.tables}  # fmt: skip


def cells(shown: Section | Table) -> list[dict[str, str]]:
    """The rows of the table, each by column."""
    table = shown.table if isinstance(shown, Section) else shown
    return [dict(zip(table.columns, row, strict=True)) for row in table.rows]
