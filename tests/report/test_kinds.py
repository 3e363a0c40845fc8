"""A kind of table is one entry, and its name among those that a grid may have."""

import dataclasses

import pytest

import study.grids.file
from report.data.load import load_results
from report.data.selection import select_tables
from report.document import Answer, Figure, make_rows
from report.formats.html import render_html
from report.formats.markdown import render
from report.kind import Kind
from report.kinds import KINDS
from report.make import make_document
from report.sections import make_section
from report.tables.columns import COLUMNS, Column
from study.grids.file import TABLES, load_grids
from tests.report.made_up import result, write

SVG = '<svg xmlns="http://www.w3.org/2000/svg"><text>warm</text></svg>'
PARTS = [field.name for field in dataclasses.fields(Kind)]
WARM_UP = Kind(
    question="How long a case warms up",
    opening=lambda grid_table: [],
    columns=["warm_up"],
    answers=lambda results: [Answer("How long?", [f"{len(results)} cases warmed up."])],
    headlines=lambda results: ["All warmed up."],
    figures=lambda results: [Figure("Warm-up", SVG, "steps"), None],
    listings=[("mp/placement.py", "layer_map")],
    detail_tables=[lambda results: make_rows("Losses", [{"loss": "1.5"} for _ in results])],
    detail_figures=lambda results: [],
    facts=lambda results: ["A step of warm-up is not timed."],
)
STEPS = Column(
    lambda result, field: {"warm-up steps": str(result.measurement.warmup_steps)},
    ["warm-up steps"],
)


@pytest.fixture
def table_of_warm_up(monkeypatch, tmp_path):
    """The table of a grid of that kind, of which so many cases were measured."""
    monkeypatch.setitem(KINDS, "warm_up", WARM_UP)
    monkeypatch.setitem(COLUMNS, "warm_up", STEPS)
    monkeypatch.setattr(study.grids.file, "TABLES", (*TABLES, "warm_up"))
    path = tmp_path / "mine.yaml"
    path.write_text("title: Warm-up\ntable: warm_up\naxes: {depth: [20], gpus: [1, 2]}\n")
    (grid,) = load_grids([str(path)])

    def make(measured):
        cases = grid.cases()[:measured]
        write(tmp_path, "slurm", *(result(**case.as_dict()) for case in cases))
        (grid_table,) = select_tables(grid, load_results(tmp_path, pytest.fail))
        return grid_table

    return make


def test_a_new_kind_of_table_is_shown_with_all_its_parts(table_of_warm_up):
    grid_table = table_of_warm_up(measured=2)
    section = make_section(grid_table, with_figures=True)
    assert section.table.columns == ["depth", "GPUs", "warm-up steps"]
    page = render_html(make_document([grid_table], with_figures=True, with_details=True))
    markdown = "".join(render([section]))
    for text in (
        "warm-up steps",
        "2 cases warmed up.",
        "A step of warm-up is not timed.",
        "Losses",
    ):
        assert text in page
        assert text in markdown
    assert "Figure 1.</b> Warm-up" in page
    assert "def layer_map" in page


def test_a_new_kind_without_results_asks_its_question(table_of_warm_up):
    section = make_section(table_of_warm_up(measured=0))
    (answer,) = section.answers
    assert answer.sentences[0].startswith("How long a case warms up cannot be told")
    assert list(section.table.columns[-2:]) == ["warm-up steps", "result"]


@pytest.mark.parametrize("part", PARTS)
def test_a_kind_that_lacks_a_part_is_an_error_at_once(part):
    with pytest.raises(TypeError, match=part):
        Kind(**{name: () for name in PARTS if name != part})
