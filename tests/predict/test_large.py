"""The engine for large pipelines gives what the event model gives, and does so at any size."""

from dataclasses import replace
from random import Random

import pytest

from predict.orders.action import KINDS
from predict.orders.lowering import programs
from predict.simulation.costs import (
    ActionSeconds,
    Costs,
    Ending,
    Host,
    Link,
    equal_stages,
    slowed_alike,
)
from predict.simulation.events import simulate
from predict.simulation.large import LARGE, simulate_large
from study.schedules import SCHEDULES

CHUNKS = {"interleaved_1f1b": (2, 3), "zbv": (2,)}


def uneven(stages, gpus, drawn):
    """Every stage, kind, first micro-batch and boundary takes its own time."""

    def work():
        return ActionSeconds(drawn.uniform(0.3, 2), drawn.uniform(0.3, 2))

    return Costs(
        work={kind: [work() for _ in range(stages)] for kind in KINDS},
        boundary_bytes=[drawn.uniform(0, 2) for _ in range(stages - 1)],
        link=Link(drawn.uniform(0, 0.5), 2.0),
        endings=[Ending(*(drawn.random() for _ in range(3))) for _ in range(gpus)],
        queues="none",
    )


@pytest.mark.parametrize("schedule", LARGE)
def test_waves_take_as_long_as_the_event_model_on_every_small_case(schedule):
    drawn, compared = Random(schedule), 0
    for gpus in range(1, 8):
        for m in range(1, 22):
            if not SCHEDULES[schedule].accepts(gpus, m):
                continue
            for chunks in CHUNKS.get(schedule, (1,)):
                costs = uneven(gpus * chunks, gpus, drawn)
                found = simulate_large(schedule, gpus, m, chunks, costs)
                expected = simulate(programs(schedule, gpus, m, chunks), costs)
                assert found.step_s == pytest.approx(expected.step_s, rel=1e-12), (gpus, m)
                assert found.bubbles == pytest.approx(expected.bubbles, abs=1e-12), (gpus, m)
                compared += 1
    assert compared >= 80


@pytest.mark.parametrize("schedule", LARGE)
def test_a_large_pipeline_of_equal_stages_has_the_bubble_of_the_formula(schedule):
    chunks = CHUNKS.get(schedule, (1,))[0]
    gpus = 128 // chunks
    found = simulate_large(schedule, gpus, 512, chunks, equal_stages(128))
    expected = SCHEDULES[schedule].bubble(gpus, 512, chunks)
    assert found.bubbles == pytest.approx([expected] * gpus, abs=1e-12)


@pytest.mark.parametrize(
    ("asked", "costs", "said"),
    [
        (("naive", 2, 1, 1), equal_stages(2), "naive"),
        (("zero_bubble", 2, 4, 2), equal_stages(4), "with 2 stages a GPU"),
        (("interleaved_1f1b", 4, 2, 2), equal_stages(8), "does not take 2 micro-batches"),
        (("gpipe", 2, 4, 1), replace(equal_stages(2), queues="pair"), "no queues"),
        (("gpipe", 2, 4, 1), replace(equal_stages(2), slowdown=slowed_alike(2.0)), "no slowing"),
        (("gpipe", 2, 4, 1), replace(equal_stages(2), host=Host(operation_s=1.0)), "no processes"),
    ],
)
def test_what_waves_cannot_take_is_refused(asked, costs, said):
    with pytest.raises(ValueError, match=said):
        simulate_large(*asked, costs)
