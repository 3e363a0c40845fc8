"""Parts of a calibration in this process: layers as a stage runs them, and how they are timed."""

import time
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
import torch

from mp.calibration import inputs
from mp.calibration.between import alternating, beside, collectives, messages, turns
from mp.calibration.between.turns import DIRECTIONS, Turns
from mp.calibration.host.steps import host_cases
from mp.calibration.layers import measure_each_gpu, measure_layers
from mp.calibration.loads import SHARES, measure_loads
from mp.calibration.rounds import Deadline, Slots, rounds
from mp.calibration.setting import Setting
from mp.calibration.sizes import measure_sizes
from mp.calibration.stacks import Stack, find_kinds
from mp.calibration.stopwatch import Stopwatch, time_sustained, time_unthrottled
from mp.calibration.updates import measure_updates
from mp.engine import Communicator
from mp.families.registry import workload_of
from mp.hardware.devices import choose_devices
from mp.profiling.profile import measure_profile
from study.validation import make_case

CPU = torch.device("cpu")
MLP = f"{Path(__file__).resolve().parent.parent.parent}/models/mlp.py:build"
WANTED = "rows=4,8 gradients=separate,fused schedules=gpipe,zero_bubble,tensor layers=2,3 shares=2"
GPT = {"kind": "gpt", "depth": 3, "dim": 16, "heads": 2, "seq_len": 4, "vocab": 11}


def case_of(calibrates=WANTED, **keys):
    values = {"depth": 6, "batch_size": 8, "gpus": 1, "time_limit_s": 100.0} | keys
    values |= {} if "factory" in keys or "width" in keys else {"dim": 16}
    return msgspec.structs.replace(make_case(values, "here"), calibrates=calibrates)


def setting_of(calibrates=WANTED, **keys):
    case, world = case_of(calibrates, **keys), Communicator(choose_devices(1, "cpu"))
    return Setting(case, world, lambda case: None, Deadline(case.time_limit_s, world))


def stack_of(gradients="separate", kind=1, count=3, **keys):
    workload = workload_of(case_of(gradients=gradients, schedule="gpipe", **keys))
    alike = find_kinds(workload, 4, is_pipeline=True)[kind]
    return Stack(workload, alike, 4, CPU, count)


def gradients_of(stack):
    return [parameter.grad.clone() for parameter in stack.parameters]


def test_layers_that_are_alike_are_one_kind_and_the_loss_is_the_last():
    kinds = setting_of().kinds
    assert [its.entry.layers for its in kinds] == [(0,), (1, 2, 3, 4, 5), ()]
    assert [its.has_input_gradient for its in kinds] == [False, True, True]
    assert [its.entry.name for its in kinds] == ["layer 0", "layer 1", "loss"]


def test_a_gpt_has_its_blocks_as_one_kind_and_its_ends_apart():
    kinds = setting_of(**GPT).kinds
    assert [its.entry.layers for its in kinds] == [(0,), (1, 2, 3), (4,), ()]
    assert setting_of(**GPT).usual == 1


def test_rows_of_an_input_are_what_the_layers_before_several_places_make_of_the_batch():
    setting = setting_of()
    workload = setting.workload("separate")
    x, before = workload.cast(workload.draw_batch(8, CPU)[0]), {}
    for number in range(6):
        before[number] = x.detach()
        x = workload.draw_layer(number)(x)
    assert list(setting.inputs) == [1]  # the first layer has the batch, and the loss drawn numbers
    of_five = torch.cat([before[1][:2], before[2][:1], before[3][:2], before[4][:1], before[5][:2]])
    torch.testing.assert_close(setting.stack(1, 8, "separate").x.detach(), of_five)
    of_four = torch.cat([before[number][:1] for number in (1, 2, 4, 5)])
    torch.testing.assert_close(setting.stack(1, 4, "separate").x.detach(), of_four)
    assert {x.untyped_storage().nbytes() for x in setting.inputs[1]} == {2 * 16 * 4}  # no more
    assert list(setting_of(**GPT).inputs) == [1, 2]


def test_of_many_layers_rows_come_from_places_equally_far_apart():
    assert inputs._spread(tuple(range(1, 24))) == [1, 4, 7, 10, 13, 16, 19, 23]
    assert inputs._spread((1, 2, 3)) == [1, 2, 3]
    assert inputs._spread((7,)) == [7]


@pytest.mark.parametrize(
    ("rows", "shares"),
    [
        (1, [0, 0, 0, 1, 0, 0, 0, 0]),
        (2, [0, 1, 0, 0, 0, 1, 0, 0]),
        (4, [1, 0, 1, 0, 1, 0, 1, 0]),
        (8, [1] * 8),
        (9, [1, 1, 1, 2, 1, 1, 1, 1]),
        (4096, [512] * 8),
        (5, [5]),
    ],
)
def test_fewer_rows_than_places_are_of_those_in_the_middle(rows, shares):
    assert inputs._shares(rows, len(shares)) == shares


def test_of_any_rows_no_place_gives_more_than_it_has():
    for most in range(1, 40):
        for places in range(1, 9):
            held = -(-most // places)
            for rows in range(1, most + 1):
                shares = inputs._shares(rows, places)
                assert (sum(shares), max(shares) <= held) == (rows, True)


def test_a_kind_of_which_a_place_does_not_fit_has_drawn_inputs(monkeypatch):
    run = inputs._run

    def fails_at_layer_3(workload, number, *words):
        if number == 3:
            raise torch.OutOfMemoryError("made up")
        return run(workload, number, *words)

    monkeypatch.setattr(inputs, "_run", fails_at_layer_3)
    assert setting_of().inputs == {}
    assert list(setting_of(**GPT | {"depth": 2}).inputs) == [1, 2]


@pytest.mark.parametrize("gradients", ["separate", "fused"])
def test_backward_in_two_parts_gives_the_gradients_of_backward_in_one(gradients):
    stack = stack_of(gradients)
    stack.forward()
    stack.backward()
    expected, of_input = gradients_of(stack), stack.x.grad
    stack.drop_gradients()
    stack.forward()
    stack.input_gradient()
    assert all(parameter.grad is None for parameter in stack.parameters)
    torch.testing.assert_close(stack.x.grad, of_input)
    stack.weight()
    for found, its in zip(gradients_of(stack), expected, strict=True):
        torch.testing.assert_close(found, its)


def test_a_later_micro_batch_adds_to_the_gradients_that_the_first_has_made():
    stack = stack_of()
    actions = dict.fromkeys(name for name, _ in stack.actions(in_two_parts=True))
    assert list(actions) == [
        "forward", "backward_first", "backward_later", None,
        "input_gradient", "weight_first", "weight_later",
    ]  # fmt: skip
    stack.forward()
    stack.backward()
    once = gradients_of(stack)
    stack.forward()
    stack.backward()
    for twice, its in zip(gradients_of(stack), once, strict=True):
        torch.testing.assert_close(twice, 2 * its)


def test_actions_leave_no_gradients_so_that_the_next_round_is_the_same():
    stack = stack_of()
    for _ in range(2):
        for _, action in stack.actions(in_two_parts=True):
            action()
        assert all(parameter.grad is None for parameter in stack.parameters)


def test_the_first_layer_and_the_loss_have_no_backward_in_two_parts():
    for kind in (0, 2):
        names = [name for name, _ in stack_of(kind=kind, count=1).actions(in_two_parts=True)]
        assert "backward_first" in names
        assert "input_gradient" not in names


def test_times_are_those_of_their_action():
    actions = [("long", lambda: time.sleep(0.02)), (None, lambda: time.sleep(0.01)),
               ("short", lambda: None)]  # fmt: skip
    found, _ = time_unthrottled(actions, CPU, 0.0)
    assert set(found) == {"long", "short"}
    assert min(found["long"]) >= 0.02
    assert min(found["short"]) < 0.02


def test_a_cpu_has_no_times_under_load():
    assert time_sustained([("a", lambda: None)], CPU, 0.01) is None


def test_cpus_have_no_times_of_each():
    assert measure_each_gpu(setting_of(), 0.1) == []


def test_a_stopwatch_knows_for_which_share_of_the_time_something_ran():
    watch = Stopwatch(CPU, marks=[("a", 0.0, 1.0), (None, 1.0, 2.0), ("b", 3.0, 4.0)])
    assert watch.busy_share == 0.75


def test_time_that_one_measurement_saves_is_for_those_behind_it():
    slots = Slots(3000.0, 3)
    assert slots.next() == pytest.approx(1000.0, abs=30)
    assert slots.next() == pytest.approx(1500.0, abs=30)
    assert Slots(0.0, 2).next() == 0.0


def test_some_rounds_are_measured_however_late_it_is():
    world = Communicator(choose_devices(1, "cpu"))
    assert list(rounds(world, 0.0)) == [0, 1, 2]


def test_every_kind_has_times_for_every_size_of_micro_batch_and_way_of_gradients():
    setting = setting_of()
    found = measure_layers(setting, 0.2)
    its = {(t.kind, t.rows, t.gradients) for t in found if t.shares == 1 and t.kind < 2}
    assert its == {(k, r, g) for k in (0, 1) for r in (4, 8) for g in ("separate", "fused")}
    assert {t.pace for t in found} == {"unthrottled"}
    assert {t.action for t in found if t.kind == 1} == {
        "forward", "backward_first", "backward_later", "input_gradient", "weight_first",
        "weight_later",
    }  # fmt: skip
    assert {t.shares for t in found} == {1, 2}
    assert not setting.left_out


def test_sizes_of_an_own_models_layers_are_those_that_each_job_would_measure():
    own = {"factory": MLP, "depth": 6, "args.width": 16, "batch_size": 8}
    setting = setting_of(calibrates=WANTED.replace(",tensor", "").replace(" shares=2", ""), **own)
    found = measure_sizes(setting, 100.0)
    assert {(its.model.rows, its.gradients) for its in found} == {
        (rows, gradients) for rows in (4, 8) for gradients in ("separate", "fused")
    }
    for its in found:
        assert its.in_two_parts
        case = case_of(
            gradients=its.gradients, schedule="zero_bubble", micro_batches=8 // its.model.rows,
            **own,
        )  # fmt: skip
        of_job = measure_profile(workload_of(case), CPU, its.model.rows)
        untimed = [
            msgspec.structs.replace(layer, forward_s=None, backward_s=None)
            for layer in of_job.layers
        ]
        assert list(its.model.layers) == untimed
    assert not setting.left_out
    assert measure_sizes(setting_of(), 100.0) == []


def test_sizes_that_there_was_no_time_for_are_named():
    wanted = "rows=4,8 gradients=separate schedules=naive layers=6"
    setting = setting_of(calibrates=wanted, factory=MLP)
    (found,) = measure_sizes(setting, 0.0)
    assert found.model.rows == 4
    assert setting.left_out == ["No time was left for the memory of layers with 8 rows, separate."]


def test_rows_are_measured_with_what_they_are_asked_for_with_alone():
    words = "rows=4,8 gradients=separate,fused schedules=zbv,tensor layers=2 shares=2"
    setting = setting_of(f"{words} fused_rows=4 two_part_rows=4 share_rows=4,8")
    found = [t for t in measure_layers(setting, 0.1) if t.kind == 1]
    assert {(t.rows, t.gradients) for t in found} == {
        (4, "separate"), (4, "fused"), (8, "separate"),
    }  # fmt: skip
    assert {t.rows for t in found if t.action == "weight_later"} == {4}
    assert {t.rows for t in found if t.shares == 2} == {4, 8}


@pytest.mark.parametrize(
    ("keys", "blocks"),
    [
        (GPT | {"tied": True}, (2, 6)),
        ({"kind": "conv", "depth": 16, "width": 8, "norm": "batch"}, (4, 8)),
        ({"factory": MLP}, None),
        ({}, None),
    ],
)
def test_steps_of_data_parallelism_have_the_models_own_layers_where_these_have_blocks(keys, blocks):
    made = {"recompute": "layers", "optimizer": "adam", "dtype": "bfloat16"} | keys
    wanted = "rows=4 gradients=separate schedules=gpipe,ddp,fsdp layers=2"
    setting = setting_of(wanted, **made)
    setting = replace(setting, case=msgspec.structs.replace(setting.case, gpus=2))
    for case, layers in host_cases(setting):
        assert not case.is_calibration
        assert (case.optimizer, case.dtype) == ("adam", "bfloat16")
        if blocks is None or case.schedule == "gpipe":
            assert (case.kind, case.recompute) == ("linear", "none")
            continue
        assert (case.kind, case.recompute) == (keys["kind"], "layers")
        assert (case.tied, case.norm) == (setting.case.tied, setting.case.norm)
        assert case.depth in blocks
        assert layers == case.depth + 2
    schedules = [case.schedule for case, _ in host_cases(setting)]
    assert [schedules.count(name) for name in ("gpipe", "ddp", "fsdp")] == [3, 2, 2]


def test_a_layer_that_there_was_no_time_for_is_named():
    setting = setting_of(time_limit_s=1e-6)
    assert measure_layers(setting, 0.0) == []
    assert setting.left_out[0] == (
        "No time was left for layer 1 with 4 rows, separate, unthrottled."
    )
    assert setting.left_out[-1] == (
        "No time was left for layer 1 in 2 shares with 8 rows, separate, unthrottled."
    )


@pytest.mark.parametrize(
    ("module", "allocated", "measure"),
    [
        (messages, "Buffers", lambda setting: messages.measure_messages(setting, 1, 0.0)),
        (
            collectives,
            "_operations",
            lambda setting: collectives.measure_collectives(setting, 1, 0.0),
        ),
        (turns, "Buffers", lambda setting: beside.measure_beside(setting, [], 0.0).layers),
        (alternating, "_numbers", lambda its: alternating.measure_alternating(its, [], 0.0)),
    ],
)
def test_what_passes_between_gpus_is_left_out_where_there_is_no_room(
    monkeypatch, module, allocated, measure
):
    def too_large(*_):
        raise torch.OutOfMemoryError("made up")

    monkeypatch.setattr(module, allocated, too_large)
    setting = setting_of()
    assert measure(setting) == []
    assert setting.left_out
    assert all(its.startswith("No memory was left for ") for its in setting.left_out)


def test_layers_that_do_not_fit_beside_the_buffers_leave_transfers_out_on_every_rank(monkeypatch):
    setting = setting_of()
    its = Turns(setting, setting.stack(1, 4, "separate"), 1e9)
    its.computes = True
    assert setting.with_room(its.make_buffers, "transfers") is not None

    def too_large():
        raise torch.OutOfMemoryError("made up")

    monkeypatch.setattr(its, "_compute", too_large)
    assert setting.with_room(its.make_buffers, "transfers") is None
    assert setting.left_out == ["No memory was left for transfers."]


@pytest.mark.parametrize("number", [1, 3, 4])
def test_layers_between_all_reduces_are_left_out_where_a_pass_does_not_fit(monkeypatch, number):
    """The fourth is the first beside the buffer. A rank without room does not end the others."""
    setting, reduced, runs = setting_of(), [], []
    stack = setting.stack(setting.usual, 8, "separate")
    later_pass = stack.later_pass

    def too_large_at_last():
        runs.append(1)
        if len(runs) == number:
            raise torch.OutOfMemoryError("made up")
        return later_pass()

    monkeypatch.setattr(alternating.dist, "all_reduce", lambda buffer, op: reduced.append(buffer))
    monkeypatch.setattr(stack, "later_pass", too_large_at_last)
    monkeypatch.setattr(Setting, "stack", lambda *_: stack)
    assert alternating.measure_alternating(setting, [], 0.0) == []
    assert setting.left_out == ["No memory was left for layers between all-reduces."]
    assert len(runs) == number
    assert len(reduced) == 1  # before there were layers
    assert all(parameter.grad is None for parameter in stack.parameters)


def turns_of(alone_s, beside_s, spin_s=0.0):
    """Turns of a transfer beside layers whose forward and backward take 3 s in all."""
    setting = setting_of()
    its = Turns(setting, setting.stack(1, 4, "separate"), 1e9)
    its.spin_s = spin_s
    for way in DIRECTIONS:
        its.of_layers[way, "forward"] = [1.0, 2.0, 1.0]
        its.of_layers[way, "backward_later"] = [2.0, 1.0, 2.0]
        its.of_transfers[way] = [beside_s] * 3
        its.alone[way] = [alone_s] * 3
    return its


def test_layers_fit_only_where_there_is_room_for_a_pass_that_adds_to_gradients(monkeypatch):
    """The first pass makes them as it goes; the second has all of them from its start."""
    forward = Stack.forward

    def has_no_room_beside_gradients(stack):
        if len(stack.runs) > 1 and any(p.grad is not None for p in stack.parameters):
            raise torch.OutOfMemoryError("made up")
        forward(stack)

    monkeypatch.setattr(Stack, "forward", has_no_room_beside_gradients)
    found = setting_of().stack(1, 4, "separate")
    assert found.count == 1
    assert all(parameter.grad is None for parameter in found.parameters)


def test_transfers_have_their_seconds_with_layers_beside_them_and_alone():
    found = turns_of(alone_s=5.0, beside_s=6.0, spin_s=1.0).times_of_transfers()
    assert [(t.direction, t.seconds, t.layers_s) for t in found] == [
        ("receive", 6.0, 3.0), ("receive", 5.0, 0.0), ("send", 6.0, 3.0), ("send", 5.0, 0.0),
    ]  # fmt: skip
    assert {t.rows for t in found} == {4}


@pytest.mark.parametrize(("alone_s", "spin_s"), [(0.1, 0.0), (2.9, 0.0), (3.9, 1.0)])
def test_a_transfer_that_may_have_ended_before_the_layers_says_nothing(alone_s, spin_s):
    assert turns_of(alone_s, 4.1, spin_s).times_of_transfers() == []


def test_updates_are_timed_for_the_fewest_and_the_most_layers_of_a_gpu():
    found = measure_updates(setting_of(optimizer="adam"), 0.1)
    assert [(its.action, its.tensors) for its in found] == [
        ("optimizer", 4), ("scaling", 4), ("optimizer", 6), ("scaling", 6),
    ]  # fmt: skip
    assert found[0].bytes == 2 * (16 * 16 + 16) * 4


def test_a_device_computes_for_the_shares_of_the_time_that_are_asked_for():
    loads = measure_loads(setting_of(dim=256, batch_size=256), 0.5)
    assert loads.bursts == []  # of GPUs alone
    found = loads.shares
    assert len(found) == len(SHARES)
    assert found[0].busy_share < found[-1].busy_share
    assert {its.sm_clock_hz for its in found} == {None}
