"""Layers that run again in backward: same gradients, same masks, same buffers, once each."""

import re
import subprocess
import sys

import pytest
import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from mp.correctness.check import check_equals_unsplit
from mp.engine import Communicator
from mp.hardware.devices import choose_devices
from mp.recompute import runner_of
from mp.single.engine import SingleEngine
from mp.single.step import build_step
from mp.workload import Workload
from report.analysis.profiled.shapes import recomputed_flops
from study.errors import CaseError, ConfigError
from study.paths import ROOT
from study.validation import make_case
from tests.conftest import PATIENCE_S
from tests.mp.test_profile_memory import GPT, MODELS, profile_of

CPU = torch.device("cpu")


def case_of(recompute="layers", **keys):
    return make_case({"depth": 6, "gpus": 2, "recompute": recompute} | keys, "here")


class Drawing(Workload):
    """A model of which a test says what layer runs."""

    may_draw = True
    made = nn.Identity

    def small_case(self):
        return self.case

    def layer(self, number):
        return nn.Sequential(nn.Linear(8, 8), self.made(), nn.Linear(8, 8))

    def batch(self, rows):
        return torch.randn(rows, 8), torch.randn(rows, 8)

    def loss(self, output, target):
        return nn.functional.mse_loss(output, target)


class Masking(Drawing):
    made = staticmethod(lambda: nn.Dropout(0.5))


class Normal(Drawing):
    made = staticmethod(lambda: nn.BatchNorm1d(8))


class OfPython(nn.Module):
    """Scales by what only Python's generator draws, which no checkpoint keeps."""

    def forward(self, x):
        import random

        return x * random.random()


class Foreign(Drawing):
    made = OfPython


def gradients_of(case, workload):
    step = build_step(case, choose_devices(case.gpus, "cpu"), workload)
    torch.manual_seed(5)
    step.compute_gradients()
    after = torch.rand(3)  # where the generator is
    buffers = [buffer for layer in step.layers().values() for buffer in layer.buffers()]
    return [*(p.grad for p in step.model.parameters()), *buffers, after]


def same(ours, theirs):
    return all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))


@pytest.mark.parametrize("workload", [Masking, Normal])
def test_a_second_run_has_the_masks_and_leaves_the_buffers_of_the_first(workload):
    once, twice = (gradients_of(case_of(how), workload) for how in ("none", "layers"))
    assert same(once, twice)


def test_without_the_generators_states_the_masks_would_be_others():
    forgetful = type("Forgetful", (Masking,), {"may_draw": False})
    assert not same(*(gradients_of(case_of(), kind) for kind in (Masking, forgetful)))


@pytest.mark.parametrize("model", MODELS)
def test_every_kind_of_model_passes_the_check(model):
    case = case_of(**MODELS[model], optimizer="adam")
    engine = SingleEngine(case, Communicator(choose_devices(2, "cpu")))
    assert all("BatchNorm" in note for note in check_equals_unsplit(engine))


def test_a_layer_whose_second_run_returns_something_else_is_refused():
    def check(workload):
        world = Communicator(choose_devices(2, "cpu"))
        return check_equals_unsplit(SingleEngine(case_of(), world, workload))

    with pytest.raises(CaseError, match="recompute: layers: layer 0 returns something else"):
        check(Foreign)
    assert check(Masking)


def test_each_layer_runs_twice_and_the_products_of_the_second_run_are_those_predicted():
    case = make_case({"depth": 2, "gpus": 1, "recompute": "layers"} | GPT, "test")
    plain = make_case({"depth": 2, "gpus": 1} | GPT, "test")
    counts = []
    for one in (plain, case):
        step = build_step(one, choose_devices(1, "cpu"))
        with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
            step.compute_gradients()  # attention as products: not every kernel of it is counted
        counts.append(counter.get_total_flops())
    assert counts[1] - counts[0] == recomputed_flops(case, profile_of(case)) > 0
    assert recomputed_flops(plain, profile_of(plain)) == 0


def test_a_linear_layer_runs_no_product_again():
    """What backward needs is there before the product, where a second run ends."""
    case = case_of(dim=16, batch_size=8)
    step = build_step(case, choose_devices(2, "cpu"))
    step.forward()
    with FlopCounterMode(display=False) as counter:
        step.backward()
    assert counter.get_total_flops() == 2 * 8 * 16**2 * (2 * 6 - 1)
    assert recomputed_flops(case, None) == 0


def test_a_fused_product_runs_again_and_is_counted():
    keys = {"schedule": "1f1b", "micro_batches": 2, "gradients": "fused"}
    case = case_of(**keys, **MODELS["linear"])
    found = recomputed_flops(case, profile_of(case))
    assert found == recomputed_flops(case, None) == 2 * 32 * 64**2 * 6


def test_a_layer_takes_and_returns_tuples():
    class Pair(nn.Module):
        def forward(self, x):
            return x[0] * x[1], x[1]

    pair = tuple(torch.rand(2, requires_grad=True) for _ in range(2))
    first, second = runner_of(case_of(), may_draw=False)(Pair(), pair)
    (first + second).sum().backward()
    assert torch.equal(pair[1].grad, pair[0] + 1)


@pytest.mark.parametrize(
    "keys",
    [
        {"schedule": "zero_bubble", "micro_batches": 4, "gradients": "separate"},
        {"schedule": "zbv", "micro_batches": 4, "gradients": "separate"},
    ],
)
def test_what_would_run_layers_more_than_twice_is_refused_in_one_line(keys):
    assert make_case({"depth": 8, "gpus": 2} | keys, "here").recompute == "none"
    with pytest.raises(ConfigError, match=r"\Ahere: recompute: layers with .*use .*\Z"):
        case_of(depth=8, **keys)


@pytest.mark.long
def test_every_schedule_equals_the_unsplit_model():
    """In real ranks, of every kind of model that each can run; dropout draws the same masks."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.mp.forked_recompute"],
        cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_S,
    )  # fmt: skip
    lines = done.stdout.splitlines()
    checked = [line for line in lines if re.search(": equal", line)]
    assert len(checked) == 20, done.stdout + done.stderr
    assert len([line for line in lines if line.endswith(": same masks")]) == 7
    assert len(lines) == len(checked) + 7
