"""Memory at the peak, from the placement alone, held against torch's own saved tensors."""

import weakref

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map_only

from mp.hardware.devices import choose_devices
from mp.single.step import build_step
from report.analysis.naive_memory import predict
from study.case import Case

LAYER = 4 * (16**2 + 16)


def peaks(depth=4, gpus=2, batch=2, **keys):
    case = Case(depth=depth, gpus=gpus, dim=16, batch_size=batch, **keys)
    places = [i * gpus // depth for i in range(depth)]
    found = predict(case, places)
    return found.peaks, found.shared_peak


def test_a_small_batch_peaks_with_all_gradients():
    (first, last), _ = peaks()
    assert first.parameters == first.gradients == last.parameters == 2 * LAYER
    assert last.activations <= 5 * 2 * 16 * 4


def test_a_large_batch_peaks_with_all_activations():
    (first, last), _ = peaks(batch=1000)
    rows = 1000 * 16 * 4
    # The target, the loss, the inputs of two layers, and two gradients on their way.
    assert last.activations == 6 * rows
    assert last.gradients == LAYER
    # The batch is the first layer's input; the second's comes on top.
    assert first.activations == 4 * rows


def test_adam_holds_two_states_and_the_denominators():
    (only,), shared = peaks(gpus=1, optimizer="adam")
    assert only.optimizer_state == 2 * only.parameters
    assert only.temporaries == only.parameters
    assert only.total == shared


def test_gpus_that_share_a_device_peak_together_no_higher_than_one_by_one():
    each, shared = peaks(gpus=4, batch=100)
    assert max(held.total for held in each) < shared <= sum(held.total for held in each)


def test_what_a_bias_gradient_takes_to_be_summed_counts_where_it_raises_the_peak():
    case = Case(depth=4, gpus=1, dim=16, batch_size=2)
    plain, small, large = (predict(case, [0] * 4, size).peaks[0] for size in (0, 8, 10**6))
    assert small.total == plain.total + 8
    assert large.total == plain.total + 10**6
    assert large.temporaries == 10**6
    shared = [predict(case, [0] * 4, size).shared_peak for size in (0, 10**6)]
    assert shared[1] == shared[0] + 10**6


def test_bfloat16_takes_half():
    (full,), _ = peaks(gpus=1)
    (half,), _ = peaks(gpus=1, dtype="bfloat16")
    assert full.total == 2 * half.total


class LiveBytes(TorchDispatchMode):
    """Counts the bytes of all storages that are alive, and the most there ever were."""

    def __init__(self, *already):
        super().__init__()
        self.known, self.now, self.peak = set(), 0, 0
        for tensor in already:
            self._see(tensor)

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        made = func(*args, **(kwargs or {}))
        tree_map_only(torch.Tensor, self._see, made)
        return made

    def _see(self, tensor):
        storage = tensor.untyped_storage()
        key, size = storage._cdata, storage.nbytes()
        if key in self.known:
            return
        self.known.add(key)
        self.now += size
        self.peak = max(self.peak, self.now)
        weakref.finalize(storage, self._forget, key, size)

    def _forget(self, key, size):
        self.known.discard(key)
        self.now -= size


@pytest.mark.parametrize("gpus", [1, 3])
@pytest.mark.parametrize("batch_size", [4, 4000])
def test_the_peak_is_that_of_the_tensors_that_are_alive_in_a_step(gpus, batch_size):
    case = Case(depth=6, gpus=gpus, dim=64, batch_size=batch_size)
    step = build_step(case, choose_devices(gpus, "cpu"))
    step()
    step.optimizer.zero_grad()
    with LiveBytes(*step.model.parameters(), step.x, step.target, step.last_loss) as live:
        step()
    expected = predict(case, step.model.gpu_of_layer).shared_peak
    assert live.peak == pytest.approx(expected, rel=0.02)
