"""Predictions of the sample, shown beside what was measured after them."""

import pytest

from report.data.grids.submitted import select_named
from report.data.load import load_results
from report.data.selection import select_tables
from report.tables.details import predictions
from study.grids.file import load_grids
from tests.conftest import ROOT
from tests.report.shown import cells


@pytest.fixture(scope="module")
def table():
    profiles = load_results(ROOT / "docs/example/results", pytest.fail)
    (grid,) = load_grids([str(ROOT / "docs/example/grids/gpt.yaml")])
    (found,) = select_tables(grid, profiles)
    (made,) = predictions.make_tables(found)
    return made


def test_what_to_know_of_a_prediction_is_a_letter_in_its_row_and_one_line_below(table):
    assert {row["notes"] for row in cells(table)} == {"–", "a", "b", "a, b"}
    assert table.notes[:2] == [
        "a  Cut where the calibrated times balance; a job cuts by its own.",
        "b  Extrapolated: 4 GPUs, seen 2.",
    ]


def test_settings_that_all_pipelines_share_have_no_column(table):
    assert list(table.columns[:3]) == ["GPUs", "schedule", "predicted (90 % interval)"]


def test_a_prediction_that_was_too_fast_has_a_minus_sign(table):
    (fsdp,) = (r for r in cells(table) if r["schedule"] == "FSDP" and r["GPUs"] == "2")
    assert (fsdp["error"], fsdp["inside"]) == ("−20.1 %", "no")


def test_lines_below_say_how_many_lie_in_their_interval_and_how_many_keep_their_bound(table):
    rows = cells(table)
    points = [row["inside"] for row in rows if row["error"] != "–"]
    bounds = [row["inside"] for row in rows if row["error"] == "–"]
    within, above = table.notes[-2:]
    share = f"{points.count('yes')} of {len(points)}"
    assert within.endswith(f"Measured within the 90 % interval: {share}.")
    assert above == (
        f"{len(bounds)} steps are launch-bound and have only a lower bound (at least). Measured "
        f"no faster than that: {bounds.count('yes')} of {len(bounds)}."
    )


def test_what_launching_takes_is_a_column_and_no_line_for_each_row():
    profiles = load_results(ROOT / "docs/example/results", pytest.fail)
    grids = load_grids([str(ROOT / "docs/example/grids/pipelines.yaml")])
    (found,) = select_named(grids, profiles)
    (made,) = predictions.make_tables(found)
    rows = cells(made)
    launching = {row["launching, calibrated"] for row in rows if row["error"] == "–"}
    assert len(launching) == 12
    assert all(text.endswith(" ms") for text in launching)
    assert {row["launching, calibrated"] for row in rows if row["error"] != "–"} == {"–"}
    assert not any("aunching takes" in line for line in made.notes)
    assert [line for line in made.notes if line.startswith("Launching, calibrated: ")]
