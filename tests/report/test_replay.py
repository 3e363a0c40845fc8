"""Actions played again: each begins when what it needs is there, and as late as it is told."""

import pytest

from report.analysis.replay import Replay
from study.results.measurement import TimeSpan


def action(gpu, kind, start_s, end_s, stage=None, micro_batch=0):
    return TimeSpan(gpu=gpu, kind=kind, start_s=start_s, end_s=end_s,
                    stage=gpu if stage is None else stage, micro_batch=micro_batch)  # fmt: skip


THERE_AND_BACK = [
    action(0, "forward", 0, 1),
    action(1, "forward", 2, 3),
    action(1, "backward", 3, 5),
    action(0, "backward", 7, 9),
]


def test_without_delays_nothing_waits_but_for_what_it_needs():
    assert Replay(THERE_AND_BACK).length_s([0, 0, 0, 0]) == 6


def test_a_delay_is_passed_on_to_whoever_needs_the_action():
    assert Replay(THERE_AND_BACK).length_s([0, 1, 0, 0]) == 7
    assert Replay(THERE_AND_BACK).length_s([0, 1, 0, 2]) == 9


def test_an_action_was_ready_when_the_last_thing_that_it_needs_had_ended():
    replay = Replay(THERE_AND_BACK)
    assert [replay.ready_s(number) for number in range(4)] == [0, 1, 3, 5]


def test_a_first_stage_that_computes_all_its_gradients_at_once_still_waits_for_the_next():
    """torch's stage 0 has no gradient of an input to compute, and no span for it."""
    spans = [
        action(0, "forward", 0, 1),
        action(1, "forward", 1, 2),
        action(1, "input_gradient", 2, 3),
        action(0, "weight_gradient", 3, 5),
        action(1, "weight_gradient", 3, 4),
    ]
    assert Replay(spans).length_s([0.0] * 5) == 5


def test_a_v_passes_from_one_stage_to_the_next_within_a_gpu():
    spans = [
        action(0, "forward", 0, 1, stage=0),
        action(0, "forward", 1, 2, stage=1),
        action(0, "backward", 2, 4, stage=1),
        action(0, "backward", 4, 6, stage=0),
    ]
    assert Replay(spans).length_s([0.0] * 4) == pytest.approx(6)


@pytest.mark.parametrize("kind", ["scaling", "optimizer"])
def test_what_follows_all_gradients_of_a_gpu_waits_for_no_other(kind):
    spans = [*THERE_AND_BACK, action(1, kind, 5, 6), action(0, kind, 9, 10)]
    assert Replay(spans).length_s([0.0] * 6) == 7
