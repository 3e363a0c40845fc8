"""Launching of a GPT under DDP and FSDP, from steps of tiny layers of its own kind."""

import pytest

from predict.costs.calibrated import Calibrated
from predict.costs.host import HostTimes
from predict.steps.of_case import step_of
from tests.predict.made_up_calibration import GPT, MS, calibration, case, host_run, of_gpt

ONE_ROW = GPT | {"gpus": 2, "batch_size": 2, "micro_batches": 1}
# Forward of a GPT: 1 ms a block and 2 ms besides; backward 2 and 3; the optimizer 0.5 in all.
FEW = {"step": 12, "forward": 4, "backward": 7, "optimizer": 0.5}
MANY = {"step": 24, "forward": 8, "backward": 15, "optimizer": 0.5}


def runs_of(schedule, few=FEW, many=MANY):
    return host_run(schedule, "gpt", 4, **few), host_run(schedule, "gpt", 8, **many)


def calibrated(*runs):
    """Calibrations of a GPT whose pair has these steps of tiny layers besides those of linear."""
    linear = calibration(2).calibration.host
    changes = of_gpt() | {"host": (*linear, *runs), "beside": ()}
    return Calibrated(calibration(**of_gpt()), calibration(2, **changes))


def host_times(*runs, **keys):
    return HostTimes.of(case(**ONE_ROW | keys), calibrated(*runs).everything)


def test_what_does_not_grow_with_the_blocks_is_that_of_the_layers_at_the_ends():
    found = host_times(*runs_of("fsdp"), schedule="fsdp")
    assert found.block_and_end_s("forward", 12, 2) == pytest.approx((1 * MS, 1 * MS))
    assert found.block_and_end_s("backward", 12, 2) == pytest.approx((2 * MS, 1.5 * MS))


def test_ends_take_no_less_than_nothing_where_few_blocks_were_timed_too_short():
    many = MANY | {"forward": 12}
    found = host_times(*runs_of("fsdp", FEW | {"forward": 2}, many), schedule="fsdp")
    whole = 12 + 6 * 2.5
    assert found.block_and_end_s("forward", 12, 2) == pytest.approx((whole / 12 * MS, 0))


def test_layers_of_one_run_alone_take_equally_long():
    found = host_times(runs_of("fsdp")[0], schedule="fsdp")
    assert found.block_and_end_s("forward", 12, 2) == pytest.approx((MS, MS))


def test_runs_of_the_cases_own_kind_are_taken_and_else_those_of_linear_layers():
    runs = runs_of("fsdp")
    assert host_times(*runs, schedule="fsdp").runs == runs
    of_linear = host_times(*runs, schedule="ddp")
    assert {run.kind for run in of_linear.runs} == {"linear"}
    assert not of_linear.is_of_blocks
    other = host_times(*runs, schedule="fsdp", kind="linear")
    assert {run.kind for run in other.runs} == {"linear"}


def test_the_step_of_the_runs_is_that_of_the_host_and_nothing_is_added():
    for schedule in ("ddp", "fsdp"):
        made = case(**ONE_ROW | {"schedule": schedule})
        step = step_of(made, calibrated(*runs_of(schedule)))
        assert step.host_s == pytest.approx(18 * MS)  # of 4 blocks: between 2 and 6
        assert step_of(made, calibrated()).host_s != pytest.approx(18 * MS)


def test_a_gpu_waits_for_forward_and_backward_as_each_was_launched():
    """Forward of a block computes for 0.5 ms and is launched in 1; backward, 1 and 0.1."""
    few = {"step": 5.5, "forward": 4, "backward": 0.8, "optimizer": 0.5}
    many = {"step": 10, "forward": 8, "backward": 1.2, "optimizer": 0.5}
    made = case(**ONE_ROW | {"schedule": "ddp"})
    step = step_of(made, calibrated(*runs_of("ddp", few, many)))
    forward = 5 * 1 + 3 * 0.5 + 0.05  # until the head is asked for, which computes for longer
    backward = 0.05 + (3 + 4 + 0.5) * 1
    copies, last_sum = 6 * 0.05, 5 * 0.1
    optimizer = 0.6
    assert not step.is_launch_bound
    expected = forward + backward + copies + last_sum + optimizer
    assert step.seconds / MS == pytest.approx(expected, rel=1e-6)


def test_the_optimizer_is_asked_for_behind_backward():
    runs = [host_run("ddp", "gpt", n, step=9, forward=3, backward=12, optimizer=5) for n in (4, 8)]
    step = step_of(case(**ONE_ROW | {"schedule": "ddp"}), calibrated(*runs))
    assert not step.is_launch_bound
    assert step.seconds / MS == pytest.approx(3 + 12 + 5)
