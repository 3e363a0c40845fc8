"""What each GPU computes, sends, receives and waits for, in torch's own order."""

import pytest

from predict.orders import lowering
from predict.orders.action import Action
from predict.orders.lowering import programs
from predict.orders.program import Post
from study.schedules import SCHEDULES
from tests.predict.torch_orders import programs_of_torch


@pytest.mark.parametrize("schedule", [n for n, s in SCHEDULES.items() if s.is_pipeline])
def test_every_gpu_computes_sends_receives_and_waits_as_torch_does(schedule, monkeypatch):
    entry = SCHEDULES[schedule]
    compared = 0
    for gpus in range(1, 6):
        for m in range(gpus, 13):
            if not entry.accepts(gpus, m):
                continue
            for chunks in (2, 3) if entry.is_chunked else (1,):
                if chunks not in entry.chunks:
                    continue
                found = [each.calls for each in programs(schedule, gpus, m, chunks)]
                expected = programs_of_torch(schedule, gpus, m, chunks, monkeypatch)
                assert found == expected, (gpus, m, chunks)
                compared += 1
    assert compared >= 30


def test_what_torch_adds_for_fsdp_shifts_receives_even_where_nothing_is_sharded(monkeypatch):
    near = lowering.Neighbours(SCHEDULES["interleaved_1f1b"].gpu_of_stage(4, 2))
    made = lowering.orders("interleaved_1f1b", 4, 8, 2)
    as_torch_has_it = lowering.lower(made, 8, near)
    monkeypatch.setattr(lowering, "_with_fillers", lambda order, micro_batches: order)
    plain = lowering.lower(made, 8, near)
    assert as_torch_has_it != plain
    assert [*map(set, as_torch_has_it)] == [*map(set, plain)]


def test_every_send_meets_its_receive():
    for schedule in ("gpipe", "1f1b", "interleaved_1f1b", "zero_bubble", "zbv"):
        chunks = 2 if SCHEDULES[schedule].is_chunked else 1
        made = programs(schedule, 4, 8, chunks)
        ends = {True: set(), False: set()}
        for gpu, program in enumerate(made):
            for call in program.calls:
                for one in call.operations if isinstance(call, Post) else ():
                    here, there = (gpu, one.peer) if one.sends else (one.peer, gpu)
                    ends[one.sends].add((one.message, here, there))
        assert ends[True] == ends[False]
        assert len(ends[True]) > 8


def test_the_naive_schedule_sends_the_whole_batch_forth_and_back():
    first, last = programs("naive", 2, 1)
    assert [type(call).__name__ for call in first.calls] == [
        "Action", "Post", "Wait", "Post", "Wait", "Action"
    ]  # fmt: skip
    assert [call for call in last.calls if isinstance(call, Action)] == [
        Action("forward", 1, 0),
        Action("backward", 1, 0),
    ]
