"""Made-up results that are named in the hostile reading of the report, and their sentences."""

import re

import msgspec
import pytest

from tests.report.made_up import measuring, result, write
from tests.report.made_up_conditions import at_clock, from_commit
from tests.report.made_up_pipeline import scheduled
from tests.report.shown import (
    answer_of,
    cells,
    details_of,
    only_section,
    shown_in,
    text_of,
)

PIPELINES = "table: schedules\nmodel: {depth: 20}\n"


def test_pipelines_that_compute_most_of_the_time_do_not_wait(tmp_path):
    """`m_1f1b_slower_but_busy`: 4.17 of 5 compute at a time, and 5 GPUs take longer."""
    both = [
        scheduled("1f1b", gpus=2, micro_batches=20, step_s=0.1575),
        scheduled("1f1b", gpus=5, micro_batches=20, step_s=1.37 * 0.1575),
    ]
    section, _ = shown_in(
        tmp_path,
        "axes: {gpus: [2, 5], schedule: [1f1b], micro_batches: [20]}\ntable: memory\n"
        "model: {depth: 20, dim: 5120, batch_size: 20480}\ntrain: {dtype: bfloat16}\n",
        *both,
    )
    assert "5 GPUs take 37 % more time than 2 GPUs" in text_of(section)
    assert not re.search(r"mostly|wait for|take turns", text_of(section))


@pytest.mark.parametrize("mhz", [700, 900])
def test_a_slower_clock_gives_no_answer_on_adding_gpus(tmp_path, mhz):
    """`clock_half`, `t4_throttled`: 5 GPUs at half the clock once made "training slower"."""
    slow = at_clock(result(gpus=5, step_s=0.13), mhz, gpu=3)
    answer = answer_of(tmp_path, "task4", result(gpus=2, step_s=0.1), slow)
    assert f"between 2 and 5 GPUs: GPU 3 ran at {mhz} of 1410 MHz on 5 GPUs" in answer
    assert "training gets" not in answer
    assert "times as long" not in answer


def test_other_code_is_in_the_sentence_on_adding_gpus(tmp_path):
    """`t4_mixed_commit`."""
    other = from_commit(result(gpus=5, step_s=0.13), "1")
    answer = answer_of(tmp_path, "task4", result(gpus=2, step_s=0.1), other)
    assert re.search(r"\(95 % CI \S+ to \S+ %; caution 1\)", answer)
    assert "Caution 1: commits differ (0000000, 1111111)." in answer


@pytest.mark.parametrize(("five_s", "percent"), [(0.0801, "19.9"), (0.0800, "20.0")])
def test_percents_below_a_factor_are_of_the_time_on_both_sides_of_a_fifth(
    tmp_path, five_s, percent
):
    """`pct_faster`, `pct_faster2`: 19.9 % faster was beside 1.25 times as fast."""
    answer = answer_of(tmp_path, "task4", result(gpus=2), result(gpus=5, step_s=five_s))
    assert f"5 GPUs take {percent} % less time than 2 GPUs" in answer
    assert "% faster" not in answer


def test_a_median_that_is_compared_has_its_interval_in_the_table(tmp_path):
    """`ci_null_many`."""
    both = [measuring(result(gpus=g, step_s=s), median_ci_s=None) for g, s in ((2, 0.1), (5, 0.2))]
    assert "(95 % CI" in answer_of(tmp_path, "task4", *both)
    times = [row["step time (95 % CI)"] for row in cells(only_section(tmp_path))]
    assert times == ["100 ms (99 – 101)", "200 ms (199 – 202)"]


def test_phases_longer_than_the_timed_step_say_by_how_much(tmp_path):
    """As the sample's depth 6: phases of 3.39 ms in a step of 2.35 ms."""
    given = result("task2", depth=6, step_s=0.1)
    twice = [2 * s for s in given.measurement.breakdown.step_times_s]
    slow = msgspec.structs.replace(
        given.measurement.breakdown, step_times_s=twice, plain_step_times_s=twice
    )
    write(tmp_path, "slurm", measuring(given, breakdown=slow))
    notes = [line for table in details_of(tmp_path, "task2").values() for line in table.notes]
    assert any("Instrumented steps took +100.0 % compared with timed ones" in n for n in notes)
