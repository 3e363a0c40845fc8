"""Operations and memory of models of which a part is not trained, or has nothing to train."""

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from mp.hardware.devices import choose_devices
from mp.profiling.live_bytes import LiveBytes
from mp.profiling.profile import measure_profile
from mp.single.step import build_step
from mp.workload import OPTIMIZERS
from predict.memory.layers.naive import follow_step
from report.analysis.profiled.shapes import operations_of
from study.results.sizes import Gradients, parameter_bytes, trained_bytes
from study.validation import make_case
from tests.mp.odd_models import Frozen, FrozenParts, Odd

CPU = torch.device("cpu")


class NothingFirst(Odd):
    """The first layer has no parameters."""

    def layer(self, number):
        return nn.Softsign() if number == 0 else super().layer(number)


class Twice(Odd):
    """One layer, used at two places."""

    def layers(self):
        made = list(super().layers())
        made[6] = made[2]
        return iter(made)


def case_of(**keys):
    return make_case({"depth": 8, "dim": 32, "gpus": 1, "batch_size": 8} | keys, "test")


def profile_of(model, **keys):
    return measure_profile(model(case_of(**keys)), CPU, 8)


@pytest.mark.parametrize("model", [Odd, NothingFirst, Frozen, FrozenParts, Twice])
def test_operations_are_those_of_the_unsplit_model(model):
    workload = model(case_of())
    layers, (x, target) = list(workload.layers()), workload.batch(8)
    with FlopCounterMode(display=False) as counter:
        for layer in layers:
            x = layer(x)
        workload.loss(x, target).backward()
    assert operations_of(workload.case, profile_of(model)).total == counter.get_total_flops()


def test_a_pipeline_has_the_same_operations():
    pipeline = {"schedule": "1f1b", "gpus": 2, "micro_batches": 2, "batch_size": 16}
    for model in (NothingFirst, Frozen):
        of_pipeline = profile_of(model, **pipeline)
        assert operations_of(case_of(), of_pipeline) == operations_of(case_of(), profile_of(model))


def peak_of(case, model):
    """The most bytes of all tensors in the second step."""
    step = build_step(case, choose_devices(1, "cpu"), model)
    step()
    step.optimizer.zero_grad(set_to_none=True)
    states = [value for state in step.optimizer.state.values() for value in state.values()]
    held = [*step.model.parameters(), *step.model.buffers(), step.x, step.target, step.last_loss]
    held += [state for state in states if state.dim()]  # Adam's counts of steps are scalars
    with LiveBytes(CPU, held) as live:
        step()
    return sum(tensor.untyped_storage().nbytes() for tensor in held) + live.most


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
@pytest.mark.parametrize("model", [Odd, NothingFirst, Frozen, FrozenParts, Twice])
def test_the_peak_of_memory_is_predicted(model, optimizer, monkeypatch):
    foreach = {n: lambda p, lr, of=of: of(p, lr=lr, foreach=True) for n, of in OPTIMIZERS.items()}
    monkeypatch.setattr("mp.workload.OPTIMIZERS", foreach)  # as on a GPU
    case = case_of(optimizer=optimizer)
    predicted = follow_step(case, profile_of(model), [0] * 8).shared_peak
    assert predicted == pytest.approx(peak_of(case, model), rel=0.03)


def test_gradients_are_of_trained_parameters_and_of_shared_ones_once():
    size = 4 * 32 * 33
    frozen, twice = profile_of(Frozen), profile_of(Twice)
    assert parameter_bytes(frozen, [3, 4]) == 2 * size
    assert trained_bytes(frozen, [3, 4]) == size
    for first, second in ((6, 2), (2, 6)):
        made = Gradients(twice)
        assert [made.add(first), made.add(second)] == [size, 0]
    made = Gradients(frozen)
    assert [made.add(3), made.add(4)] == [0, size]
