"""Pipelines that add up weight gradients in another way, in grids, tables and words."""

import pytest

from report.analysis.predicted_memory import predicted_of
from report.data.measured import measured
from report.wording.names import schedule_name
from study.errors import ConfigError
from study.validation import make_case
from study.values.description import describe
from tests.report.made_up_pipeline import scheduled
from tests.report.shown import cells, shown_in, text_of

GRID = (
    "table: schedules\nmodel: {{depth: 20, dim: 5120, batch_size: 20480}}\n"
    "train: {{dtype: bfloat16}}\n"
    "axes: {{gpus: [2], schedule: [naive, zero_bubble], micro_batches: [10]{axis}}}\n{setting}"
)
RESULTS = [
    scheduled("naive", gpus=2, step_s=0.4),
    scheduled("zero_bubble", gpus=2, step_s=0.25),
    scheduled("zero_bubble", gpus=2, step_s=0.2, gradients="fused"),
]


def case_of(**keys):
    return make_case({"depth": 20, "gpus": 2, "batch_size": 8, "micro_batches": 4} | keys, "here")


def test_an_axis_has_a_column_and_one_naive_case(tmp_path):
    grid = GRID.format(axis=", gradients: [separate, fused]", setting="")
    section, _ = shown_in(tmp_path, grid, *RESULTS)
    rows = [(row["schedule"], row["weight gradients"]) for row in cells(section)]
    assert rows == [("naive", "–"), ("ZB1P", "separate"), ("ZB1P", "fused")]
    assert "fused weight gradients" in text_of(section)


def test_a_grid_of_fused_gradients_says_so_and_has_no_others(tmp_path):
    grid = GRID.format(axis="", setting="pipeline: {gradients: fused}\n")
    section, _ = shown_in(tmp_path, grid, RESULTS[0], RESULTS[2])
    assert [row["schedule"] for row in cells(section)] == ["naive", "ZB1P"]
    assert "weight gradients fused" in " ".join(section.facts)


def test_separate_gradients_are_not_spoken_of(tmp_path):
    grid = GRID.format(axis="", setting="pipeline: {gradients: separate}\n")
    section, _ = shown_in(tmp_path, grid, *RESULTS[:2])
    assert [row["schedule"] for row in cells(section)] == ["naive", "ZB1P"]
    assert "separate" not in " ".join([*section.facts, text_of(section)])


MIXED = GRID.format(axis="", setting="").replace("zero_bubble", "1f1b, zero_bubble")
ONE_F = scheduled("1f1b", gpus=2, step_s=0.3)


def test_defaults_that_differ_between_schedules_are_a_column(tmp_path):
    section, _ = shown_in(tmp_path, MIXED, RESULTS[0], ONE_F, RESULTS[2])
    rows = [(row["schedule"], row["weight gradients"]) for row in cells(section)]
    assert rows == [("naive", "–"), ("1F1B", "separate"), ("ZB1P", "fused")]
    assert "weight gradients" not in " ".join(section.facts)


def test_results_of_when_all_were_separate_are_one_table_that_says_so(tmp_path):
    section, _ = shown_in(tmp_path, MIXED, RESULTS[0], ONE_F, RESULTS[1])
    assert [row["schedule"] for row in cells(section)] == ["naive", "1F1B", "ZB1P"]
    facts = " ".join(section.facts)
    assert "Changed from the usual setting of this table: weight gradients separate." in facts


def test_a_case_names_them_where_they_are_fused():
    separate, fused = case_of(schedule="1f1b"), case_of(schedule="1f1b", gradients="fused")
    assert schedule_name(separate) == "1F1B with 4 micro-batches"
    assert schedule_name(fused) == "1F1B with 4 micro-batches, fused weight gradients"
    assert "fused gradients" in describe(fused)
    assert "gradients" not in describe(separate)
    assert fused.case_id != separate.case_id
    assert "gradients" not in separate.as_dict()


def test_what_is_no_pipeline_has_none():
    with pytest.raises(ConfigError, match="gradients: fused with schedule: tensor; it is for gpi"):
        make_case({"depth": 4, "gpus": 2, "schedule": "tensor", "gradients": "fused"}, "here")
    with pytest.raises(ConfigError, match="gradients: 'sum' is not one of: separate, fused"):
        case_of(schedule="1f1b", gradients="sum")


def test_the_memory_of_fused_gradients_is_predicted_too():
    assert predicted_of(measured(RESULTS[1])) is not None
    for one, other in zip(*(predicted_of(measured(r)) for r in RESULTS[1:3]), strict=True):
        assert one.parameters == other.parameters
        assert other.total == pytest.approx(one.total, rel=0.1)
