"""Parts of benchmarks/waiting.py: orders of receives, and intervals over rounds."""

import random
from types import SimpleNamespace

import pytest
from torch.distributed.pipelining.schedules import _Action

from benchmarks.waits.intervals import measured
from benchmarks.waits.rounds import GRAPH, Row
from benchmarks.waits.table import lines_of, sentence
from benchmarks.waits.ways import APART, EAGER, EARLY, LATE, Impossible, Posting

OF_STAGE = [0, 1]


def posting(actions):
    """The messages of a step whose ranks have these actions."""
    orders = {rank: [_Action.from_str(a) for a in its.split()] for rank, its in actions.items()}
    schedule = SimpleNamespace(pipeline_order_with_comms=orders)
    stages = SimpleNamespace(gpu_of_stage=OF_STAGE)
    step = SimpleNamespace(parts=[], schedule=schedule, stages=stages)
    return Posting(step, SimpleNamespace(rank=0), {})


def order(made, way, rank):
    with made.use(way):
        return " ".join(map(str, made.step.schedule.pipeline_order_with_comms[rank]))


TWO = {
    0: "0F0 0SEND_F0 0F1 0SEND_F1 0RECV_B0 0RECV_B1 0B0 0B1",
    1: "1RECV_F0 1F0 1RECV_F1 1F1 1B0 1SEND_B0 1B1 1SEND_B1",
}


def test_receives_at_the_start_stand_in_the_order_of_their_sender():
    swapped = {**TWO, 0: TWO[0].replace("0RECV_B0 0RECV_B1", "0RECV_B1 0RECV_B0")}
    made = posting(swapped)
    assert order(made, EARLY, 0) == "0RECV_B0 0RECV_B1 0F0 0SEND_F0 0F1 0SEND_F1 0B0 0B1"
    assert order(made, EARLY, 1) == "1RECV_F0 1RECV_F1 1F0 1F1 1B0 1SEND_B0 1B1 1SEND_B1"


def test_late_receives_stand_right_before_their_use_and_the_step_is_afterwards_as_it_was():
    made = posting(TWO)
    assert order(made, LATE, 0) == "0F0 0SEND_F0 0F1 0SEND_F1 0RECV_B0 0B0 0RECV_B1 0B1"
    assert order(made, EAGER, 0) == TWO[0]


def test_messages_that_are_used_in_another_order_than_sent_cannot_be_received_late():
    other = {**TWO, 0: TWO[0].replace("0B0 0B1", "0B1 0B0")}
    with pytest.raises(Impossible, match="another order than sent"):
        order(posting(other), LATE, 0)


def test_a_schedule_without_a_list_of_actions_says_so():
    made = posting(TWO)
    made.as_torch = None
    with pytest.raises(Impossible, match="no list of actions"):
        order(made, EARLY, 0)


def test_the_interval_of_rounds_covers_their_true_median_in_95_percent():
    draw = random.Random(1)
    found = [measured([draw.expovariate(1.0) for _ in range(15)]) for _ in range(2000)]
    inside = sum(f.interval[0] <= 0.6931 <= f.interval[1] for f in found) / 2000
    assert 0.94 < inside < 0.985
    assert measured([1.0] * 5).interval is None
    assert measured([3.0, 1.0, 2.0, 6.0, 5.0, 4.0]).interval == (1.0, 6.0)


def test_a_sentence_tells_what_waiting_each_cause_explains_and_what_was_left_out():
    rows = {
        EAGER.name: Row([0.04] * 6, [0.3] * 6, [0.028] * 6, [0.1] * 6),
        APART.name: Row([0.039] * 6, [0.27] * 6, [0.028] * 6, [0.07] * 6),
        GRAPH: Row(reason="no GPU"),
    }
    text = sentence("zbv", rows)
    assert "zbv waits for 10.0 (10.0 to 10.0) points" in text
    assert "queues behind other messages 3.0 (3.0 to 3.0); launching is not known." in text
    assert "| zbv | one CUDA graph of the step | left out: no GPU | | | |" in lines_of("zbv", rows)
