"""One line about a result, for the person who waits for it."""

import msgspec
import pytest

from mp.summary import summarize
from tests.report.made_up import MIB, failed, measuring, result, sharing


def of(step_s, low=None, high=None, **keys):
    """The summary of a run with this median and interval, in seconds."""
    interval = None if low is None else (low, high)
    given = result(steps_s=[step_s] * 412, gpu_of_layer=[0] * 20, gpus=1, **keys)
    return summarize(measuring(given, median_ci_s=interval, converged=True))


def test_a_run_is_its_case_its_step_time_its_steps_and_its_peak():
    given = result(steps_s=[0.152] * 412, gpus=2, peaks=[2632 * MIB, 500 * MIB])
    given = measuring(given, median_ci_s=(0.1501, 0.1549), converged=True)
    assert summarize(given) == (
        "depth 20 on 2 GPUs: 152 ms a step (95 % CI 150 to 155), 412 steps, peak 2.57 GiB on GPU 0"
    )


@pytest.mark.parametrize(
    ("times", "told"),
    [
        ((2.5, 2.4, 2.6), "2.50 s a step (95 % CI 2.40 to 2.60)"),
        ((0.0054321, 0.00543, 0.005434), "5.432 ms a step (95 % CI 5.430 to 5.434)"),
        ((0.00085, 0.0008, 0.0009), "850 µs a step (95 % CI 800 to 900)"),
        ((0.000000085,), "0.0850 µs a step (too few steps for an interval)"),
        ((1234.5, 1200.0, 1300.0), "1230 s a step (95 % CI 1200 to 1300)"),
    ],
)
def test_a_time_has_three_digits_or_as_many_as_its_interval_supports(times, told):
    assert f": {told}, 412 steps" in of(*times)


def test_emulated_gpus_are_said_to_be():
    assert " on 2 GPUs (emulated on the CPU): " in summarize(result(gpus=2, gpu_name=None))
    shared = sharing(result(gpus=2, emulated=True), 512 * MIB)
    assert " on 2 GPUs (emulated on one NVIDIA A100): " in summarize(shared)
    assert "peak 0.5 GiB of all GPUs together" in summarize(shared)


def test_a_schedule_is_named():
    given = result(gpus=2)
    case = msgspec.structs.replace(given.case, schedule="gpipe", micro_batches=4)
    assert " on 2 GPUs, GPipe: " in summarize(msgspec.structs.replace(given, case=case))


def test_a_goal_that_was_missed_is_said():
    given = measuring(result(gpus=2), converged=False)
    assert summarize(given).endswith(", interval wider than ±0.5 %")


def test_a_case_that_failed_says_why():
    assert summarize(failed(gpus=2)) == "depth 20 on 2 GPUs: oom_gpu: CUDA out of memory"
