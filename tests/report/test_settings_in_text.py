"""The settings of schedules within sentences: no comma of theirs may look like one of a list."""

import pytest

from report.answers.pipelines.ranking import names_of
from report.data.measured import measured
from report.settings import setting_words
from report.wording.names import schedule_in_text
from tests.report.made_up import case
from tests.report.made_up_models import gpt
from tests.report.made_up_pipeline import scheduled
from tests.report.shown import sentences, shown_in

TIME = {"balance": "time"}
GRID = """\
axes: {gpus: [1, 2], schedule: [naive, gpipe, 1f1b], gradients: [separate, fused]}
table: TABLE
model: {kind: gpt, depth: 24, batch_size: 64}
pipeline: {micro_batches: 8, balance: time}
train: {dtype: bfloat16, optimizer: adam}
"""


@pytest.mark.parametrize(
    ("results", "words"),
    [
        ([gpt("gpipe", 4), gpt("1f1b", 4)], "GPipe and 1F1B (8 micro-batches each)"),
        (
            [gpt("gpipe", 4, **TIME), gpt("1f1b", 4, **TIME)],
            "GPipe and 1F1B (each with 8 micro-batches, balanced by time)",
        ),
        (
            [gpt("naive", 4), gpt("gpipe", 4, **TIME), gpt("1f1b", 4)],
            "naive, GPipe (8 micro-batches, balanced by time) and 1F1B with 8 micro-batches",
        ),
        ([gpt("1f1b", 4, **TIME)], "1F1B (8 micro-batches, balanced by time)"),
        ([scheduled("naive"), scheduled("tensor")], "naive and tensor parallelism"),
    ],
)
def test_cases_are_listed_so_that_each_has_its_own_settings(results, words):
    assert names_of([measured(each) for each in results]) == words


def test_a_schedule_with_one_setting_has_no_parentheses():
    pipeline = case("pipeline", schedule="1f1b", micro_batches=4)
    assert schedule_in_text(pipeline) == "1F1B with 4 micro-batches"
    assert schedule_in_text(case()) == "naive"


@pytest.mark.parametrize("table", ["model", "schedules"])
def test_no_sentence_runs_on_after_a_setting(tmp_path, table):
    results = [
        gpt("naive", 1, 0.2),
        gpt("naive", 2, 0.2),
        *(gpt(name, 2, 0.12, **TIME) for name in ("gpipe", "1f1b")),
        gpt("1f1b", 2, 0.15, gradients="fused", **TIME),
    ]
    section, headlines = shown_in(tmp_path, GRID.replace("TABLE", table), *results)
    text = " ".join([*sentences(section), *headlines])
    text = text.replace(": fused weight gradients take", "")  # compared with separate ones
    for ends in ("balanced by time", "fused weight gradients"):
        assert ends in text
        for word in (" each)", " is ", " are ", " on ", " takes ", " take "):
            assert f"{ends}{word}" not in text


def test_a_schedule_that_is_no_axis_is_called_as_in_tables():
    assert setting_words({"schedule": "zero_bubble", "depth": 8}) == "schedule ZB1P, depth 8"
