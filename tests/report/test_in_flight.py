"""How many activations a GPU holds at a time: what is seen, and what each schedule's rule says."""

import pytest

from report.analysis.in_flight import seen_in_flight
from report.data.measured import measured
from study.schedules import PIPELINES
from study.stages import expected_in_flight
from tests.report.made_up import case
from tests.report.made_up_pipeline import scheduled
from tests.report.test_bubble import SIZES


@pytest.mark.parametrize(("gpus", "micro_batches"), SIZES)
@pytest.mark.parametrize("schedule", PIPELINES)
def test_every_gpu_holds_as_many_as_the_rule_says(schedule, gpus, micro_batches):
    given = scheduled(schedule, gpus=gpus, micro_batches=micro_batches, depth=48)
    expected = [expected_in_flight(given.case, gpu) for gpu in range(gpus)]
    assert seen_in_flight(measured(given)) == expected


@pytest.mark.parametrize(
    ("schedule", "seen"),
    [
        ("naive", [1, 1, 1, 1, 1]),
        ("gpipe", [10, 10, 10, 10, 10]),
        ("1f1b", [5, 4, 3, 2, 1]),
        ("interleaved_1f1b", [14, 12, 10, 8, 6]),
        ("zero_bubble", [5, 5, 5, 5, 5]),
        ("zbv", [10, 10, 10, 10, 10]),
    ],
)
def test_ten_micro_batches_on_five_gpus(schedule, seen):
    assert seen_in_flight(measured(scheduled(schedule))) == seen


def test_nothing_is_claimed_of_a_v_that_is_not_filled_nor_of_tensor_parallelism():
    assert expected_in_flight(case("pipeline", schedule="zbv", gpus=5, micro_batches=5), 0) is None
    assert expected_in_flight(case("pipeline", schedule="tensor", gpus=5), 0) is None
    assert seen_in_flight(measured(scheduled("tensor"))) == []
