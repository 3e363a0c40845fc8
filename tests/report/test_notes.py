"""What stands beside a number that should not be cited without it."""

import msgspec
import pytest

from tests.report.made_up import measuring, result, write
from tests.report.shown import cells, only_section


def notes(folder, given):
    """The notes on the row of 2 GPUs; empty where the table has none."""
    write(folder, "slurm", given, result(gpus=5))
    return cells(only_section(folder))[0].get("notes", "")


def with_state(given, **changes):
    """The result, with its first GPU in another state after the timed steps."""
    first, *others = given.environment.gpus
    state = msgspec.structs.replace(first.after, **changes)
    gpus = [msgspec.structs.replace(first, after=state), *others]
    environment = msgspec.structs.replace(given.environment, gpus=gpus)
    return msgspec.structs.replace(given, environment=environment)


def test_clocks_below_what_the_gpus_can_reach_are_one_range(tmp_path):
    given = with_state(result(), sm_clock_hz=1_000_000_000)
    first, *others = given.environment.gpus
    before = msgspec.structs.replace(first.before, sm_clock_hz=1_200_000_000)
    gpus = [msgspec.structs.replace(first, before=before), *others]
    environment = msgspec.structs.replace(given.environment, gpus=gpus)
    given = msgspec.structs.replace(given, environment=environment)
    assert notes(tmp_path, given) == "throttled: clock at 1000 to 1200 of 1410 MHz"


def test_a_number_without_a_flaw_has_no_notes(tmp_path):
    assert notes(tmp_path, result()) == ""


def test_a_median_that_is_not_known_well_enough_says_what_stopped_it(tmp_path):
    given = measuring(result(), converged=False, stopped_by="time_limit")
    assert notes(tmp_path, given) == "not within ±0.5 %: stopped by time limit"


def test_steps_that_were_to_be_counted_have_no_goal_to_miss(tmp_path):
    given = measuring(result(ci_half_width=0.0), converged=False, stopped_by="steps")
    write(tmp_path, "slurm", given)
    assert "not within" not in str(only_section(tmp_path).table)


def test_far_out_steps_are_counted(tmp_path):
    steps = [*result().measurement.step_times_s, 5.0]
    assert notes(tmp_path, result(steps_s=steps)).startswith("outliers: 1 of 42 steps")


def test_marks_that_disturb_a_step_are_said(tmp_path):
    breakdown = result().measurement.breakdown
    slow = msgspec.structs.replace(breakdown, step_times_s=[0.3] * 3)
    found = notes(tmp_path, measuring(result(), breakdown=slow))
    assert found == "steps with marks took +200.0 %: their parts are not those of a step"


def test_warmup_too_short_to_tell_is_said(tmp_path):
    found = notes(tmp_path, measuring(result(), warmup_steady=None))
    assert found == "warm-up too short to tell whether it was steady"


def test_warmup_that_was_not_steady_is_said(tmp_path):
    assert notes(tmp_path, measuring(result(), warmup_steady=False)) == "warm-up was not steady"


@pytest.mark.parametrize(
    ("changes", "note"),
    [
        ({"throttle_reasons": ["sw_power_cap"]}, "throttled: sw power cap"),
        ({"sm_clock_hz": 1_000_000_000}, "throttled: clock at 1000 of 1410 MHz"),
        ({"sm_clock_hz": None, "throttle_reasons": None}, ""),
    ],
)
def test_a_gpu_that_was_held_back_is_flagged(tmp_path, changes, note):
    assert notes(tmp_path, with_state(result(), **changes)) == note
