"""The orders of actions are torch's, on every small case."""

import pytest

from predict.orders.order import orders
from study.schedules import SCHEDULES
from tests.predict.torch_orders import OF_RUNTIME, orders_of_torch

CHUNKS = {"interleaved_1f1b": (1, 2, 3), "zero_bubble": (1, 2, 3), "zbv": (2,)}


@pytest.mark.parametrize("schedule", OF_RUNTIME)
def test_every_gpu_does_what_torch_would_have_it_do_in_the_same_order(schedule):
    compared = 0
    for gpus in range(1, 9):
        for m in range(1, 25):
            if schedule != "zbv" and m % max(1, m // gpus):
                continue
            for chunks in CHUNKS[schedule]:
                found = orders(schedule, gpus, m, chunks)
                assert found == orders_of_torch(schedule, gpus, m, chunks), (gpus, m, chunks)
                compared += 1
    assert compared >= 190


def test_every_pipeline_has_an_order_in_which_each_stage_meets_each_micro_batch_once():
    for schedule, entry in SCHEDULES.items():
        if not entry.is_pipeline:
            continue
        p, m, v = 4, 8, 2 if entry.is_chunked else 1
        found = orders(schedule, p, m, v)
        assert len({a for gpu in found for a in gpu}) == sum(map(len, found))
        for gpu, actions in enumerate(found):
            mine = [s for s, place in enumerate(entry.gpu_of_stage(p, v)) if place == gpu]
            for stage in mine:
                forwards = [a for a in actions if a.kind == "forward" and a.stage == stage]
                gradients = [a for a in actions if a.makes_gradient and a.stage == stage]
                assert len(forwards) == len(gradients) == m
            assert {a.stage for a in actions} == {*mine}


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (("tensor", 2, 4), "tensor has no order"),
        (("zbv", 2, 4, 3), "has 2 stages a GPU, not 3"),
        (("gpipe", 2, 4, 2), "has 1 stage a GPU, not 2"),
        (("zero_bubble", 4, 9), "9 micro-batches on 4 GPUs"),
        (("gpipe", 0, 4), "are positive"),
    ],
)
def test_what_has_no_order_is_refused(asked, said):
    with pytest.raises(ValueError, match=said):
        orders(*asked)
