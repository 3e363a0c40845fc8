"""Tables of calibrations: words that other tables have, and names that tell what is meant."""

import pytest

from report.data.grids.calibrations import calibration_tables
from report.data.load import load_results
from report.sections import make_section
from study.paths import ROOT
from study.schedules import SCHEDULES
from tests.report.shown import cells

TINY = "Time of the host in each action"


@pytest.fixture(scope="module")
def sections():
    """The sections of the sample's calibrations, one for each cluster."""
    profiles = load_results(ROOT / "docs/example/results", pytest.fail)
    return [make_section(table) for table in calibration_tables(profiles)]


def tables_of(sections, caption=""):
    """The tables of the details whose caption begins with these words."""
    every = [table for section in sections for table in section.details.tables]
    return [table for table in every if table.caption.startswith(caption)]


def test_schedules_have_the_labels_that_other_tables_use(sections):
    shown = {row["schedule"] for table in tables_of(sections, TINY) for row in cells(table)}
    assert {"ZB1P", "1F1B"} < shown <= {schedule.label for schedule in SCHEDULES.values()}


def test_no_heading_and_no_cell_is_a_key_of_the_result_file(sections):
    for table in tables_of(sections):
        assert not [text for row in (table.columns, *table.rows) for text in row if "_" in text]


def test_the_id_does_not_repeat_the_heading_of_its_column(sections):
    ids = {row[0] for section in sections for row in section.table.rows}
    for table in tables_of(sections):
        assert table.columns[0] == "calibration"
        assert {f"calibration-{row[0]}" for row in table.rows} <= ids


def test_columns_in_which_nothing_is_known_are_left_out(sections):
    for table in tables_of(sections):
        assert all({*column} != {"–"} for column in zip(*table.rows, strict=True))


def test_what_tiny_layers_are_of_is_a_column_only_where_it_differs(sections):
    for table in tables_of(sections, TINY):
        kinds = {row.get("layers of") for row in cells(table)}
        assert len(kinds) > 1 or table.caption == f"{TINY}, with tiny layers (linear stack)"


def test_layers_that_are_alike_are_counted_besides_the_one_that_is_named(sections):
    names = {
        row["layer"] for table in tables_of(sections, "Seconds of one") for row in cells(table)
    }
    assert "layer 1 and 22 more like it" in names
