"""CUDA graphs of a process for each GPU, over NCCL. Skipped without two GPUs; run by hand.

A case with outcome ok has been compared with eager steps by its job: three steps of a small model,
and loss and gradients of the model that is timed. Here the losses are compared once more, from
outside of it, with step times printed beside (pytest -rP).
"""

import json
import os
import re
import signal
import subprocess
import sys
import time
from functools import cache

import pytest
import torch

from study.paths import ROOT
from study.results.file import decode
from tests.mp.forked_graphs import ON_FOUR, STEPS, TRAININGS
from tests.mp.test_cuda_pipelines import run_options
from tests.mp.test_ranks import ranks_of

pytestmark = pytest.mark.skipif(torch.cuda.device_count() < 2, reason="needs two CUDA GPUs")
ALL_TOGETHER_S = 400.0
NAMED_WITHIN_S = 30.0
LASTING = ("--depth=8", "--dim=1024", "--batch-size=1024", "--gpus=2", "--execution=cuda_graph",
           "--steps=1000000", "--time-limit-s=300", "--ci-half-width=0.0001")  # fmt: skip
KINDS = {
    "1f1b": ("--schedule=1f1b", "--micro-batches=4", "--gradients=fused"),
    "ddp": ("--schedule=ddp",),
    "fsdp": ("--schedule=fsdp",),
}


@cache
def trained(*names):
    """What the ranks say of each training, by its name, and what they wrote to stderr."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.mp.forked_graphs", *names],
        cwd=ROOT, capture_output=True, text=True, timeout=ALL_TOGETHER_S,
    )  # fmt: skip
    said = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    return {one["name"]: one for one in said}, done.stderr


def assert_equal_losses(name, found, stderr):
    assert name in found, stderr[-4000:]
    said = found[name]
    assert "error" not in said, said
    print(name, {which: f"{1e3 * s:.3f} ms" for which, s in said["seconds"].items()})
    seen = 0
    for of_rank in said["losses"]:
        assert len(of_rank["eager"]) == len(of_rank["graph"]) == STEPS
        if None not in of_rank["eager"]:
            tolerance = 1e-2 if "bfloat16" in name else 1e-5
            assert of_rank["graph"] == pytest.approx(of_rank["eager"], rel=tolerance)
            seen += 1
    assert seen >= 1


@pytest.mark.parametrize("name", TRAININGS)
def test_a_graph_has_the_losses_of_eager_steps(name):
    assert_equal_losses(name, *trained(*TRAININGS))


@pytest.mark.skipif(torch.cuda.device_count() < 4, reason="needs four CUDA GPUs")
@pytest.mark.parametrize("name", ON_FOUR)
def test_a_graph_of_replicas_has_the_losses_of_eager_steps(name):
    assert_equal_losses(name, *trained(*ON_FOUR))


@pytest.mark.parametrize("kind", KINDS)
def test_a_graphed_case_has_instrumented_steps_of_its_eager_step_and_memory_of_the_graph(kind):
    options = ("--depth=8", "--dim=1024", "--batch-size=1024", "--gpus=2", "--steps=20")
    graph = run_options(*options, *KINDS[kind], "--execution=cuda_graph")
    eager = run_options(*options, *KINDS[kind])
    assert (graph.outcome, graph.emulated) == ("ok", False), graph.error
    assert graph.measurement.breakdown is not None
    assert graph.measurement.first_loss == pytest.approx(eager.measurement.first_loss, rel=1e-5)
    for ours, theirs in zip(graph.measurement.per_gpu, eager.measurement.per_gpu, strict=True):
        print(kind, ours.peak_allocated_bytes, theirs.peak_allocated_bytes)
        assert ours.peak_allocated_bytes == pytest.approx(theirs.peak_allocated_bytes, rel=0.05)


def test_a_model_that_no_graph_can_hold_ends_with_the_reason_and_its_line(tmp_path):
    file = tmp_path / "asks.py"
    file.write_text(ASKS)
    result = run_options(
        f"--factory={file}:build", "--depth=4", "--batch-size=16", "--gpus=2", "--schedule=1f1b",
        "--micro-batches=2", "--execution=cuda_graph",
    )  # fmt: skip
    assert result.outcome == "error"
    assert re.search(
        r"step of rank 1 cannot be captured: .*asks\.py, line 10", result.error.message
    )


ASKS = """import torch
from torch import nn


class Asks(nn.Linear):
    def forward(self, x):
        y = super().forward(x)
        if y.device.type == "meta":
            return y
        if y.sum().item() > 1e9:
            return y * 2
        return y


def build():
    layers = [nn.Linear(8, 8), nn.Linear(8, 8), nn.Linear(8, 8), Asks(8, 8)]
    return (
        layers,
        lambda rows: (torch.randn(rows, 8), torch.randn(rows, 8)),
        nn.functional.mse_loss,
    )
"""


@pytest.mark.parametrize("killed", [0, 1])
@pytest.mark.parametrize("kind", KINDS)
def test_a_rank_that_is_killed_in_a_replay_is_named_within_half_a_minute(kind, killed):
    child = subprocess.Popen(
        [sys.executable, "-m", "mp", *LASTING, *KINDS[kind], "--device=cuda"],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        said = []
        assert any(said.append(line) or line.startswith("timing") for line in child.stderr), said
        time.sleep(1)
        ranks = ranks_of(child.pid)
        os.kill(ranks[killed], signal.SIGKILL)
        started = time.monotonic()
        output, _ = child.communicate(timeout=2 * NAMED_WITHIN_S)
        assert time.monotonic() - started < NAMED_WITHIN_S
        error = decode(output.encode()).error
        assert re.fullmatch(f"rank {killed} on .*: ended by signal SIGKILL", error.message)
        assert not any(os.path.exists(f"/proc/{pid}") for pid in ranks.values())
    finally:
        child.kill()
