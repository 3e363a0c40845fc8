"""Another model than the linear stack runs on both engines, once it says what its layers are.

The model is a residual net of convolutions with an odd first and last layer, so that shapes differ
from border to border. Run as a program, this file is the ranks of its own tests.
"""

import subprocess
import sys
import warnings
from itertools import pairwise

import pytest
import torch
from torch import nn

from mp.benchmark import run_benchmark
from mp.correctness.check import check_equals_unsplit
from mp.distributed.engine import DistributedEngine
from mp.engine import Communicator, Gradients, gradients_of
from mp.families.linear import LinearStack
from mp.families.registry import FAMILIES
from mp.hardware.devices import choose_devices
from mp.single.engine import SingleEngine
from mp.workload import Workload
from study.errors import CaseError
from study.models import KINDS
from study.paths import ROOT
from study.schedules import PIPELINES
from study.validation import make_case
from tests.conftest import PATIENCE_S
from tests.mp.forked_ranks import fork, meet

pytestmark = pytest.mark.long

DEPTH, RANKS, MICRO, CLASSES = 6, 2, 4, 10
SIZES = {"depth": DEPTH, "dim": 8, "batch_size": 16, "warmup_steps": 1, "steps": 3}


class Residual(nn.Module):
    """x + conv(norm(x)), with (rows, dim, 8, 8)."""

    def __init__(self, dim):
        super().__init__()
        self.norm = nn.GroupNorm(2, dim)
        self.conv = nn.Conv2d(dim, dim, 3, padding=1)

    def forward(self, x):
        return x + self.conv(torch.relu(self.norm(x)))


class ResidualNet(Workload):
    """Images (rows, 3, 8, 8) to classes."""

    def small_case(self):
        return self.case

    def layer(self, number):
        if number == 0:
            return nn.Conv2d(3, self.case.dim, 3, padding=1)
        if number < self.case.depth - 1:
            return Residual(self.case.dim)
        return nn.Sequential(nn.AvgPool2d(4), nn.Flatten(), nn.Linear(4 * self.case.dim, CLASSES))

    def batch(self, rows):
        return torch.randn(rows, 3, 8, 8), torch.randint(CLASSES, (rows,))

    def loss(self, output, target):
        return nn.functional.cross_entropy(output, target)


def case_of(gpus, schedule, **keys):
    keys = {"gpus": gpus, "schedule": schedule} | SIZES | keys
    if schedule in PIPELINES:
        keys |= {"micro_batches": MICRO, "gradients": "separate"}
    return make_case(keys, "test")


def single(gpus, **keys):
    case = case_of(gpus, "naive", **keys)
    return SingleEngine(case, Communicator(choose_devices(gpus, "cpu")), ResidualNet)


def unsplit_gradients(case) -> Gradients:
    """By hand, without the code under test."""
    net = ResidualNet(case)
    layers = nn.Sequential(*net.layers())
    x, target = net.draw_batch(case.batch_size, torch.device("cpu"))
    net.loss(layers(x), target).backward()
    return {number: gradients_of(layer) for number, layer in enumerate(layers)}


def worst_difference(ours: Gradients, expected: Gradients) -> float:
    """The largest of all parameters, as a share of the parameter's largest gradient."""
    pairs = [
        (parts[name], reference)
        for number, parts in ours.items()
        for name, reference in expected[number].items()
    ]
    return max(float((a - b).abs().max() / b.abs().max()) for a, b in pairs)


@pytest.mark.parametrize("gpus", [1, 2, 3])
def test_a_model_added_here_has_the_gradients_of_one_piece_in_one_process(gpus):
    engine = single(gpus)
    check_equals_unsplit(engine)
    step = engine.build(engine.case)
    step.compute_gradients()
    found = step.gradients()
    assert found.keys() == set(range(DEPTH))
    assert worst_difference(found, unsplit_gradients(engine.case)) < 1e-5


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_model_added_here_is_measured_in_one_process(dtype):
    known = []
    run_benchmark(single(3, dtype=dtype), lambda progress: None, known.append)
    assert known[-1].transfers.moved_before_layers == [2, 4]
    assert len(known[-1].measurement.step_times_s) == 3
    (copies,) = known[-1].ceilings.copies
    assert copies.message_bytes == 16 * 8 * 8 * 8 * (4 if dtype == "float32" else 2)


def test_a_model_that_computes_something_else_when_split_is_refused():
    engine = single(2)
    build = engine.build

    def build_other(case):
        step = build(case)
        step.layers()[2].register_forward_hook(lambda layer, inputs, output: output * 1.01)
        return step

    engine.build = build_other
    with pytest.raises(CaseError, match="differs from the unsplit model's"):
        check_equals_unsplit(engine)


def test_activations_say_what_passes_between_layers():
    net = ResidualNet(case_of(1, "naive"))
    shapes = [tuple(like.shape) for like in net.activations(4)]
    assert shapes == [(4, 3, 8, 8), *[(4, 8, 8, 8)] * (DEPTH - 1), (4, CLASSES)]
    assert {like.device.type for like in net.activations(4)} == {"meta"}


def test_the_linear_stacks_own_activations_are_those_of_its_layers():
    stack = LinearStack(case_of(1, "naive", dtype="bfloat16"))
    found = [(like.shape, like.dtype) for like in stack.activations(4)]
    assert found == [(like.shape, like.dtype) for like in Workload.activations(stack, 4)]


def test_each_pair_of_gpus_has_the_bytes_of_its_largest_activation():
    net = ResidualNet(case_of(2, "naive"))
    assert net.message_bytes([0, 1, 1, 1, 1, 0], 4) == {
        (0, 1): 4 * 8 * 64 * 4,
        (1, 0): 4 * 8 * 64 * 4,
    }


@pytest.fixture(scope="module")
def ranks():
    """What the ranks say of each schedule."""
    command = [sys.executable, "-m", "tests.mp.test_workload"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_S)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.parametrize("schedule", PIPELINES)
def test_a_model_added_here_has_the_gradients_of_one_piece_on_ranks(ranks, schedule):
    assert f"{schedule}: equal" in ranks


def test_a_model_added_here_is_measured_on_ranks(ranks):
    assert f"measured: 3 steps, {DEPTH} layers, moves {MICRO}" in ranks


def test_tensor_parallelism_refuses_a_model_that_it_cannot_split(ranks):
    assert "tensor: schedule: tensor splits linear layers alone; use a pipeline" in ranks


def as_rank(rank, ranks, port):
    world = meet(rank, ranks, port)
    for schedule in PIPELINES:
        engine = DistributedEngine(case_of(ranks, schedule), world, ResidualNet)
        check_equals_unsplit(engine)
        step = engine.build(engine.case)
        step.compute_gradients()
        off = worst_difference(step.gradients(), unsplit_gradients(engine.case))
        worst = world.all_reduce_max(off)
        if rank == 0:
            print(f"{schedule}: {'equal' if worst < 1e-5 else worst}", flush=True)
    known = []
    engine = DistributedEngine(case_of(ranks, "1f1b"), world, ResidualNet)
    run_benchmark(engine, lambda progress: None, known.append)
    found = known[-1]
    assert all(a <= b for a, b in pairwise(found.placement.stage_of_layer))
    if rank == 0:
        steps, layers = len(found.measurement.step_times_s), sum(found.placement.layers_per_gpu)
        moves = found.transfers.moves_forward
        print(f"measured: {steps} steps, {layers} layers, moves {moves}", flush=True)
    try:
        engine = DistributedEngine(case_of(ranks, "tensor"), world, ResidualNet)
        engine.build(engine.case)
    except CaseError as error:
        if rank == 0:
            print(f"tensor: {error}", flush=True)
    world.shutdown()


def test_each_family_counts_what_the_kinds_of_models_say():
    known = {name: family.item for name, family in FAMILIES.items() if name != "factory"}
    assert known == {name: kind.item for name, kind in KINDS.items() if kind.item is not None}


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    sys.exit(not fork(RANKS, as_rank))
