"""The seconds of a layer: a call that the host launched too late does not count."""

import torch
from torch import nn

from mp.profiling import layer_seconds
from mp.profiling.layer_seconds import MOST_CYCLES, MOST_TIMES, BusyGpuTimer, time_layer
from mp.profiling.subject import Subject

CPU = torch.device("cpu")


class LateTimer:
    """Runs each call; forward is late in the first two pairs, and backward in the third."""

    def __init__(self):
        self.is_late, self.calls = False, 0

    def seconds(self, run):
        run()
        self.calls += 1
        if self.calls in (1, 3, 6):
            self.is_late = True
            return 100.0
        return float(2 - self.calls % 2)


def test_a_late_call_is_measured_again_with_a_forward_of_its_own(monkeypatch):
    timer, layer = LateTimer(), nn.Linear(4, 4)
    monkeypatch.setattr(layer_seconds, "_timer", lambda device: timer)
    subject = Subject(
        run=layer, parameters=list(layer.parameters()), buffers=[],
        make_input=lambda: torch.randn(2, 4), has_input_gradient=True, holds_input=True, device=CPU,
    )  # fmt: skip
    assert time_layer(subject) == (1.0, 2.0)
    assert timer.calls == 2 * (3 + MOST_TIMES)


def test_no_gradient_of_an_input_stays_from_call_to_call(monkeypatch):
    """It would lie beside the tensors of a step on a GPU that these fill."""
    inputs, held = [], []

    def make_input():
        inputs.append(torch.randn(2, 4))
        return inputs[-1]

    def run(x):
        held.append(inputs[-1].grad)
        return layer(x)

    layer = nn.Linear(4, 4)
    subject = Subject(
        run=run, parameters=list(layer.parameters()), buffers=[], make_input=make_input,
        has_input_gradient=True, holds_input=True, device=CPU,
    )  # fmt: skip
    time_layer(subject)
    assert len(held) > MOST_TIMES
    assert not any(gradient is not None for gradient in held)
    assert inputs[-1].grad is not None


def test_a_layer_that_never_runs_ahead_of_its_gpu_counts_once_the_spinning_is_longest():
    timer = BusyGpuTimer(CPU)
    tries = 0
    timer.is_late = True
    while timer.is_late:
        timer.is_late = False
        timer._adapt(spun_s=1.0, launched_s=1.0)
        tries += 1
    assert timer.cycles == MOST_CYCLES
    assert tries < 10
