"""The operations of a step, counted by formula and by torch's own counter."""

import pytest
from torch.utils.flop_counter import FlopCounterMode

from mp.hardware.devices import choose_devices
from mp.single.step import build_step
from report.analysis.flops import step_flops
from study.case import Case


@pytest.mark.parametrize("depth", [1, 2, 7])
@pytest.mark.parametrize("gpus", [1, 2])
def test_the_formula_counts_what_torch_counts(depth, gpus):
    if gpus > depth:
        pytest.skip("a GPU would have no layer")
    case = Case(depth=depth, gpus=gpus, dim=24, batch_size=5)
    step = build_step(case, choose_devices(gpus, "cpu"))
    with FlopCounterMode(display=False) as counter:
        step()
    assert step_flops(case) == counter.get_total_flops()


def test_the_first_layer_has_no_input_gradient():
    one, two = (step_flops(Case(depth=d, gpus=1, dim=10, batch_size=1)) for d in (1, 2))
    assert (one, two) == (2 * 200, 5 * 200)
