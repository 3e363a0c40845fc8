"""How long GPUs of a pipeline wait, and for what: the parts are those that were put in."""

import msgspec
import pytest

from report.analysis.bubble import bubbles
from report.data.measured import measured
from study.results.measurement import TimeSpan
from study.schedules import PIPELINES
from study.stages import allowed_speed_up, bubble_share
from tests.report.made_up import case, measuring
from tests.report.made_up_pipeline import scheduled

SIZES = [(1, 4), (2, 3), (2, 8), (3, 6), (4, 8), (5, 9), (5, 10), (5, 20), (8, 16)]


def bubbles_of(schedule, **keys):
    return bubbles(measured(scheduled(schedule, **keys)))


@pytest.mark.parametrize(("gpus", "micro_batches"), SIZES)
@pytest.mark.parametrize("schedule", PIPELINES)
def test_equal_actions_without_delays_wait_as_long_as_the_formula_says(
    schedule, gpus, micro_batches
):
    for bubble in bubbles_of(schedule, gpus=gpus, micro_batches=micro_batches, depth=48):
        assert bubble.measured == pytest.approx(bubble.formula, abs=1e-9)
        for part in (bubble.imbalance, bubble.communication, bubble.rest):
            assert part == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("chunks", [2, 3, 4])
def test_more_chunks_make_a_smaller_bubble_just_as_the_formula_says(chunks):
    found = bubbles_of("interleaved_1f1b", chunks_per_gpu=chunks)
    assert [b.measured for b in found] == pytest.approx([4 / (10 * chunks + 4)] * 5)


def test_a_naive_step_keeps_one_gpu_at_work_at_a_time():
    assert [b.measured for b in bubbles_of("naive")] == pytest.approx([0.8] * 5)
    assert bubble_share(case("pipeline", gpus=5)) == pytest.approx(0.8)


def test_the_formulas_give_what_is_printed_of_them():
    shares = {"gpipe": 0.286, "1f1b": 0.286, "interleaved_1f1b": 0.167,
              "zero_bubble": 0.118, "zbv": 0.0625}  # fmt: skip
    for schedule, share in shares.items():
        made = case("pipeline", schedule=schedule, gpus=5, micro_batches=10)
        assert bubble_share(made) == pytest.approx(share, abs=5e-4)
    assert allowed_speed_up(
        case("pipeline", schedule="1f1b", gpus=5, micro_batches=20)
    ) == pytest.approx(25 / 6)


def test_a_v_that_its_micro_batches_do_not_fill_has_no_formula():
    (first, *_) = bubbles_of("zbv", micro_batches=5)
    assert first.formula is None
    assert first.imbalance is None
    assert first.measured == pytest.approx(4 / 19)


@pytest.mark.parametrize("schedule", ["naive", *PIPELINES])
def test_the_parts_add_up_to_what_was_measured(schedule):
    disturbed = {"stage_takes": {0: 1.3}, "transfer_s": 2e-3, "launch_s": 1e-4}
    for bubble in bubbles_of(schedule, optimizer_s=0.01, **disturbed):
        parts = (bubble.formula, bubble.imbalance, bubble.communication, bubble.rest)
        assert sum(parts) == pytest.approx(bubble.measured)


@pytest.mark.parametrize("schedule", PIPELINES)
@pytest.mark.parametrize(
    ("disturbed", "part"),
    [
        ({"stage_takes": {1: 2}}, "imbalance"),
        ({"transfer_s": 5e-3}, "communication"),
        ({"launch_s": 2e-3}, "rest"),
    ],
    ids=["imbalance", "communication", "rest"],
)
def test_what_disturbs_a_pipeline_is_found_as_what_it_is(schedule, disturbed, part):
    bubble = bubbles_of(schedule, **disturbed)[2]
    parts = {name: getattr(bubble, name) for name in ("imbalance", "communication", "rest")}
    assert parts.pop(part) > 0.01
    assert list(parts.values()) == pytest.approx([0, 0], abs=1e-9)


def test_transfers_that_are_hidden_behind_work_cost_nothing():
    """The last GPU of GPipe has its input long before its backward begins."""
    hidden = bubbles_of("gpipe", transfer_s=1e-3)[0]
    every_border = 8 * 1e-3 / (14 * 6e-3 + 8e-3)  # there and back, once each
    assert hidden.communication < every_border


def test_a_step_without_marks_has_no_bubble_to_be_seen():
    given = measuring(scheduled("1f1b"), breakdown=None)
    assert bubbles(measured(given)) == []
    assert bubbles_of("tensor") == []


def test_actions_that_wait_for_one_another_are_not_taken_apart():
    backward_before_forward = [
        TimeSpan(gpu=gpu, kind=kind, start_s=start, end_s=start + 1, stage=gpu, micro_batch=0)
        for gpu, kind, start in [
            (0, "backward", 0),
            (0, "forward", 3),
            (1, "forward", 1),
            (1, "backward", 2),
        ]
    ]
    given = scheduled("gpipe", gpus=2, micro_batches=1)
    marked = msgspec.structs.replace(
        given.measurement.breakdown, typical_step=backward_before_forward
    )
    (first, _) = bubbles(measured(measuring(given, breakdown=marked)))
    assert first.measured == pytest.approx(0.5)
    assert first.rest is None


def test_what_gpus_wait_for_together_is_communication():
    for bubble in bubbles_of("tensor", gpus=2, together_s=0.05):
        assert bubble.measured == pytest.approx(0.1 / 0.25)
        assert bubble.communication == pytest.approx(0.1 / 0.25)
        assert bubble.rest == pytest.approx(0, abs=1e-9)
        assert (bubble.formula, bubble.imbalance) == (None, None)


def test_tensor_parallelism_without_marks_has_no_bubble():
    assert bubbles_of("tensor", gpus=2) == []


@pytest.mark.parametrize("schedule", PIPELINES)
def test_parts_of_unequal_work_change_the_formula_of_zero_bubble_alone(schedule):
    made = case("pipeline", schedule=schedule, gpus=5, micro_batches=10)
    equal, unequal = bubble_share(made, (2, 2, 2)), bubble_share(made, (3, 3, 2))
    assert equal == bubble_share(made)
    expected = {"zero_bubble": 4 * 4 / (10 * 8 + 4 * 4), "zbv": None}.get(schedule, equal)
    assert unequal == expected


@pytest.mark.parametrize(("parts", "idle"), [((1, 1, 5), 1), ((3, 1, 4), 3), ((1, 2, 2), 2)])
def test_weights_that_take_longer_do_not_fill_the_way_of_the_first_and_the_last(parts, idle):
    made = case("pipeline", schedule="zero_bubble", gpus=5, micro_batches=10)
    assert bubble_share(made, parts) == 4 * idle / (10 * sum(parts) + 4 * idle)
