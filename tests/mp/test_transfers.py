"""The counted transfers against the closed form."""

import pytest

from mp.hardware.devices import Devices, choose_devices
from mp.single.step import build_step
from mp.single.transfers import observe_transfers
from study.case import Case

ELEMENT_BYTES = {"float32": 4, "bfloat16": 2}


def observe(case):
    devices = choose_devices(case.gpus, "cpu")
    return observe_transfers(build_step(case, devices), devices)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("gpus", [1, 2, 3, 4, 5])
def test_one_move_each_way_for_every_border_whatever_the_depth(gpus, dtype):
    for depth in (5, 20):
        case = Case(depth=depth, gpus=gpus, dim=16, batch_size=4, dtype=dtype)
        seen = observe(case)
        moved = (gpus - 1) * case.batch_size * case.dim * ELEMENT_BYTES[dtype]
        assert seen.to_calls_per_forward == depth
        assert (seen.moves_forward, seen.moves_backward) == (gpus - 1, gpus - 1)
        assert (seen.bytes_forward, seen.bytes_backward) == (moved, moved)


def test_each_pair_of_neighbours_moves_forward_once_and_back_once():
    seen = observe(Case(depth=6, gpus=3, dim=8, batch_size=2))
    pairs = {(p.source, p.target, p.phase): p.moves for p in seen.by_pair}
    assert pairs == {
        (0, 1, "forward"): 1,
        (1, 2, "forward"): 1,
        (1, 0, "backward"): 1,
        (2, 1, "backward"): 1,
    }


def test_the_base_code_moves_before_the_first_layer_of_the_second_half():
    seen = observe(Case(depth=7, gpus=2, dim=8, batch_size=2, split="half"))
    assert seen.moved_before_layers == [3]


def test_a_wasteful_placement_is_seen_and_not_assumed():
    case = Case(depth=4, gpus=2, dim=8, batch_size=2)
    devices: Devices = choose_devices(2, "cpu")
    step = build_step(case, devices)
    step.model.gpu_of_layer = [0, 1, 0, 1]  # back and forth: three borders instead of one
    step.target = devices.put(step.target, 1)
    seen = observe_transfers(step, devices)
    assert seen.moved_before_layers == [1, 2, 3]
    assert (seen.moves_forward, seen.moves_backward) == (3, 3)
