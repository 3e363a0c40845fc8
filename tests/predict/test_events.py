"""The event model against formulas, and against small cases worked out by hand."""

from dataclasses import replace
from itertools import pairwise

import pytest

from predict.orders.action import Action
from predict.orders.lowering import programs
from predict.orders.program import Message, Operation, Program
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
from study.schedules import SCHEDULES

PIPELINES = [name for name, entry in SCHEDULES.items() if entry.is_pipeline]


def sizes():
    """Small cases: schedule, GPUs, micro-batches, stages a GPU."""
    for schedule in PIPELINES:
        entry = SCHEDULES[schedule]
        for p in (1, 2, 3, 4, 6):
            for m in (p, 2 * p, 2 * p + 1, 3 * p):
                v = 2 if entry.is_chunked else 1
                if entry.accepts(p, m) and entry.bubble(p, m, v) is not None:
                    yield schedule, p, m, v


@pytest.mark.parametrize("queues", ["none", "pair"])
def test_equal_stages_leave_the_bubble_of_the_formula(queues):
    """At 3 p micro-batches and fewer; an interleaved pipeline of unequal rounds has no formula."""
    compared = 0
    for schedule, p, m, v in sizes():
        if schedule == "interleaved_1f1b" and m % p:
            continue
        found = simulate(programs(schedule, p, m, v), replace(equal_stages(p * v), queues=queues))
        expected = SCHEDULES[schedule].bubble(p, m, v)
        assert found.bubbles == pytest.approx([expected] * p, abs=1e-12), (schedule, p, m)
        compared += 1
    assert compared > 60


def test_gpipe_and_1f1b_take_as_many_turns_as_micro_batches_and_gpus_after_the_first():
    for schedule in ("gpipe", "1f1b"):
        for p, m in ((1, 1), (2, 5), (4, 8), (5, 7)):
            found = simulate(programs(schedule, p, m), equal_stages(p, 2.0, 3.0, 4.0))
            assert found.step_s == pytest.approx((m + p - 1) * 9.0)


@pytest.mark.parametrize("f", [1, 2, 2.5])
@pytest.mark.parametrize("i", [1, 2, 3])
@pytest.mark.parametrize("w", [1, 1.5, 4])
def test_zero_bubble_idles_for_what_the_weight_gradients_do_not_fill(f, i, w):
    """F + I - W for each GPU but one; the last waits for forwards, the first for gradients."""
    for p, m in ((2, 4), (4, 8), (5, 15)):
        found = simulate(programs("zero_bubble", p, m), equal_stages(p, f, i, w))
        idle = (p - 1) * max(f, i, f + i - w)
        assert found.step_s == pytest.approx(m * (f + i + w) + idle)
        formula = SCHEDULES["zero_bubble"].unequal_bubble(p, m, f, i, w)
        assert found.bubbles == pytest.approx([formula] * p)


def test_one_queue_a_gpu_delays_interleaved_stages_and_zbv_but_not_1f1b():
    def step_s(schedule, v, queues):
        costs = replace(equal_stages(4 * v), queues=queues)
        return simulate(programs(schedule, 4, 8, v), costs).step_s

    assert step_s("interleaved_1f1b", 2, "rank") == 70  # 57 without
    assert step_s("zbv", 2, "rank") == 55  # 51 without
    for schedule in ("gpipe", "1f1b", "zero_bubble"):
        assert step_s(schedule, 1, "rank") == step_s(schedule, 1, "pair")


@pytest.mark.parametrize("queues", ["rank", "pair"])
def test_gpipe_receives_only_when_it_has_computed_so_no_message_hides_behind_computing(queues):
    f, b, t, m = 2.0, 3.0, 0.25, 6
    costs = replace(equal_stages(2, f, 1.0, 2.0), queues=queues, link=Link(t))
    found = simulate(programs("gpipe", 2, m), costs)
    assert found.step_s == pytest.approx(f + m * (t + f) + b + m * (t + b))


def test_a_message_takes_its_latency_and_its_bytes_and_one_pair_may_have_another_link():
    costs = replace(
        equal_stages(3), boundary_bytes=(10.0, 20.0), link=Link(0.5, 10.0), queues="pair"
    )
    found = simulate(programs("naive", 3, 1), costs)
    assert found.step_s == pytest.approx(3 * 3 + 2 * (0.5 + 1.0) + 2 * (0.5 + 2.0))
    slow = simulate(programs("naive", 3, 1), replace(costs, links={(1, 2): Link(4.0)}))
    assert slow.step_s == pytest.approx(found.step_s + 4.0 - 2.5)


def two_gpus(slowdown):
    """GPU 1 waits for a message beside its computing until 1.5; GPU 0 sends it at 1."""
    message = Message(False, 0, 0)
    first, last = Program(), Program()
    first.compute(Action("forward", 0, 0))
    first.wait(first.post(Operation(True, message, 1)))
    receive = last.post(Operation(False, message, 0))
    last.compute(Action("weight_gradient", 1, 0))
    last.wait(receive)
    last.compute(Action("forward", 1, 0))
    work = {
        "forward": [ActionSeconds(1.0, 1.0), ActionSeconds(4.0, 4.0)],
        "weight_gradient": [ActionSeconds(0.0, 0.0), ActionSeconds(2.0, 2.0)],
    }
    return [first, last], Costs(work=work, link=Link(0.5), slowdown=slowed_alike(slowdown))


def test_computing_is_slowed_while_a_message_is_waited_for():
    assert simulate(*two_gpus(1.0)).step_s == pytest.approx(6.0)
    # 1.0 of the 2.0 is done by 1.5, at two thirds of the pace; the rest takes until 2.5.
    assert simulate(*two_gpus(1.5)).step_s == pytest.approx(6.5)


def test_a_send_that_waits_for_its_receiver_slows_nothing():
    message = Message(False, 0, 0)
    first, last = Program(), Program()
    first.compute(Action("forward", 0, 0))
    sent = first.post(Operation(True, message, 1))
    first.compute(Action("weight_gradient", 0, 0))  # from 1 on; the message goes from 2 to 2.5
    first.wait(sent)
    last.compute(Action("weight_gradient", 1, 0))
    last.post_and_wait(Operation(False, message, 0))
    work = {
        "forward": [ActionSeconds(1.0, 1.0), ActionSeconds(0.0, 0.0)],
        "weight_gradient": [ActionSeconds(4.0, 4.0), ActionSeconds(2.0, 2.0)],
    }
    costs = Costs(work=work, link=Link(0.5), slowdown={"weight_gradient": 1.25})
    found = simulate([first, last], costs)
    assert found.step_s == pytest.approx(1 + 4 + 0.5 * 0.2)
    assert found.loads[0] == pytest.approx(5 / found.step_s)  # nothing beside it
    assert found.bubbles[0] == pytest.approx(0)


def test_kinds_of_actions_are_slowed_each_by_its_own_factor():
    programs_of, costs = two_gpus(1.0)
    slowed = replace(costs, slowdown={"forward": 3.0})
    assert simulate(programs_of, slowed).step_s == pytest.approx(6.0)  # no forward beside it


def test_a_gpu_waits_for_the_first_kernel_of_an_action_though_not_for_the_rest():
    host = Host(action_s={"forward": [0.5], "backward": [0.5]}, lead_s={"forward": 0.25})
    costs = replace(equal_stages(1), host=host)
    assert simulate(programs("gpipe", 1, 2), costs).step_s == pytest.approx(0.25 + 6)


def test_the_first_action_of_each_process_takes_longer_to_ask_for():
    host = Host(action_s={"forward": [0.5], "backward": [0.5]}, first_s=2.0)
    found = simulate(programs("gpipe", 1, 2), replace(equal_stages(1), host=host))
    assert found.step_s == pytest.approx(2.5 + 5)  # the first forward ends late, and only that
    assert found.gpus[0].host_s == pytest.approx(2.0 + 4 * 0.5)


def test_nothing_begins_before_its_process_has_asked_for_it():
    costs = replace(
        equal_stages(2, 0.001, 0.001, 0.001),
        host=Host(
            before_s=0.5,
            action_s={"forward": [1.0, 1.0], "backward": [2.0, 2.0]},
            operation_s=0.25,
            after_s=0.5,
        ),
        queues="pair",
    )
    found = simulate(programs("gpipe", 2, 4), costs)
    assert found.step_s == pytest.approx(0.5 + 4 * 3.0 + 8 * 0.25 + 0.5)
    assert found.host_share == pytest.approx(1.0)
    quick = simulate(programs("gpipe", 2, 4), replace(costs, host=Host()))
    assert quick.step_s == pytest.approx(5 * 0.003)
    assert quick.host_share == 0


@pytest.mark.parametrize("schedule", ["gpipe", "1f1b"])
def test_a_process_takes_its_time_for_each_send_and_each_receive(schedule):
    costs = replace(equal_stages(2, 0.0, 0.0, 0.0), host=Host(operation_s=0.25))
    assert simulate(programs(schedule, 2, 4), costs).step_s == pytest.approx(8 * 0.25)


def test_one_process_for_all_gpus_asks_for_one_after_another():
    host = Host(action_s={"forward": [1.0] * 3, "backward": [2.0] * 3}, is_shared=True)
    costs = replace(equal_stages(3, 0.001, 0.001, 0.001), host=host)
    assert simulate(programs("naive", 3, 1), costs).step_s == pytest.approx(9.0)


def test_the_first_micro_batch_has_its_own_seconds_and_gpus_end_with_their_own_work():
    work = {"forward": [ActionSeconds(1.0, 2.0)], "backward": [ActionSeconds(3.0, 5.0)]}
    costs = Costs(work=work, endings=[Ending(0.5, 0.25, 1.0)])
    found = simulate(programs("gpipe", 1, 3), costs, with_spans=True)
    assert found.step_s == pytest.approx(1 + 2 * 2 + 3 + 2 * 5 + 1.75)
    assert found.gpus[0].busy_s == pytest.approx(found.step_s - 0.25)
    assert [span.kind for span in found.spans][-3:] == ["scaling", "collective", "optimizer"]


def test_spans_of_a_gpu_do_not_overlap_and_hold_every_action():
    costs = replace(equal_stages(8), link=Link(0.1), slowdown=slowed_alike(1.3), queues="rank")
    made = programs("zbv", 4, 8, 2)
    found = simulate(made, costs, with_spans=True)
    for gpu in range(4):
        spans = [s for s in found.spans if s.gpu == gpu and s.kind != "transfer_in"]
        assert len(spans) == sum(isinstance(call, Action) for call in made[gpu].calls)
        assert all(a.end_s <= b.start_s + 1e-12 for a, b in pairwise(spans))
        assert found.gpus[gpu].busy_s == pytest.approx(sum(s.end_s - s.start_s for s in spans))
    assert max(span.end_s for span in found.spans) == found.step_s


def test_programs_that_wait_for_one_another_are_an_error():
    lonely = Program()
    lonely.post_and_wait(Operation(False, Message(False, 0, 0), 0))
    lonely.compute(Action("forward", 1, 0))
    for queues in ("none", "pair", "rank"):
        with pytest.raises(ValueError, match="wait for one another"):
            simulate([lonely], replace(equal_stages(2), queues=queues))
