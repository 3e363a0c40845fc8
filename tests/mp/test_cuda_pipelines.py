"""Pipelines over NCCL, a process for each GPU. Skipped without a GPU; run by hand on a GPU machine.

Each job proves loss and gradients against the unsplit model before it measures anything: a result
with outcome ok has passed that on its GPUs.
"""

import os
import re
import signal
import subprocess
import sys
from collections import Counter
from functools import cache
from itertools import pairwise
from pathlib import Path
from tempfile import gettempdir

import pytest
import torch

from report.analysis.in_flight import seen_in_flight
from report.analysis.predicted_memory import predicted_peak
from report.data.measured import measured
from study.paths import ROOT
from study.results.file import decode
from study.schedules import PIPELINES
from study.stages import expected_in_flight
from tests.conftest import PATIENCE_S
from tests.mp.test_ranks import ranks_of

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
two_gpus = pytest.mark.skipif(torch.cuda.device_count() < 2, reason="needs two CUDA GPUs")
COUNTS = [1, pytest.param(2, marks=two_gpus)]
DEPTH, DIM, BATCH, MICRO = 8, 1024, 1024, 4


@cache
def run(schedule, gpus, **keys):
    """The result of a case by hand, once for all tests that look at it."""
    keys = {"depth": DEPTH, "dim": DIM, "batch_size": BATCH, "steps": 10} | keys
    if schedule in PIPELINES:
        keys = {"micro_batches": MICRO, "gradients": "separate"} | keys
    options = [f"--{key.replace('_', '-')}={value}" for key, value in keys.items()]
    return run_options(f"--schedule={schedule}", f"--gpus={gpus}", *options)


def run_options(*options):
    """The result of the case with these options on real GPUs."""
    done = subprocess.run(
        [sys.executable, "-m", "mp", *options, "--device=cuda"],
        cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_S,
    )  # fmt: skip
    assert done.stdout, done.stderr
    return decode(done.stdout.encode())


def assert_parts_add_up(breakdown):
    for gpu in breakdown.per_gpu:
        parts = (gpu.forward_s, gpu.backward_s, gpu.optimizer_s, gpu.transfer_in_s, gpu.idle_s)
        assert min(map(min, parts)) >= 0
        assert sum(map(sum, parts)) == pytest.approx(sum(breakdown.step_times_s), rel=0.01)


@pytest.mark.parametrize("gpus", COUNTS)
@pytest.mark.parametrize("schedule", PIPELINES)
def test_every_pipeline_is_right_and_measured_on_the_clocks_of_the_gpus(schedule, gpus):
    result = run(schedule, gpus)
    assert (result.outcome, result.emulated) == ("ok", False), result.error
    breakdown = result.measurement.breakdown
    assert breakdown.clock == "cuda_events"
    assert_parts_add_up(breakdown)
    borders = sum(a != b for a, b in pairwise(result.placement.gpu_of_layer))
    assert result.transfers.moves_forward == borders * MICRO
    assert result.transfers.bytes_backward == borders * BATCH * DIM * 4


@two_gpus
@pytest.mark.parametrize("schedule", ["1f1b", "tensor"])
def test_the_transport_between_two_gpus_of_a_host_is_known(schedule):
    result = run(schedule, 2)
    for place in result.environment.ranks:
        assert place.transports, place
        assert all(kind.startswith(("P2P/", "SHM")) for kind in place.transports), place
    assert not {name for name in result.environment.variables if name.startswith("NCCL_DEBUG")}
    assert not list(Path(gettempdir()).glob("mpbench-nccl-*"))


@pytest.mark.parametrize("schedule", PIPELINES)
@two_gpus
def test_activations_in_flight_are_those_of_the_schedules_rule(schedule):
    result = measured(run(schedule, 2))
    rules = [expected_in_flight(result.case, gpu) for gpu in range(2)]
    for seen, rule in zip(seen_in_flight(result), rules, strict=True):
        assert rule is None or seen == rule


@pytest.mark.parametrize("keys", [{"dtype": "bfloat16"}, {"optimizer": "adam"}], ids=str)
@pytest.mark.parametrize("gpus", COUNTS)
@pytest.mark.parametrize("schedule", PIPELINES)
def test_peak_memory_of_a_pipeline_is_predicted_within_three_percent(schedule, gpus, keys):
    """torch's allocator may hand out up to 1 MiB more for each large tensor, as for 25 MiB here."""
    result = measured(run(schedule, gpus, dim=2560, batch_size=8192, **keys))
    for gpu in result.measurement.per_gpu:
        expected = predicted_peak(result, gpu.index)
        assert gpu.peak_allocated_bytes == pytest.approx(expected, rel=0.03)


@pytest.mark.parametrize("gpus", COUNTS)
def test_tensor_parallelism_is_right_and_reduces_what_it_says(gpus):
    result = run("tensor", gpus)
    assert (result.outcome, result.emulated) == ("ok", False), result.error
    reduced = sum(c.bytes for c in result.transfers.collectives)
    assert (reduced > 0) == (gpus > 1)


@pytest.mark.parametrize("gpus", COUNTS)
def test_a_step_with_split_layers_is_told_by_the_gpus_with_each_wait_for_the_others(gpus):
    result = run("tensor", gpus)
    breakdown = result.measurement.breakdown
    assert breakdown.clock == "cuda_events"
    assert_parts_add_up(breakdown)
    counted = sum(c.calls for c in result.transfers.collectives)
    waits = Counter(span.gpu for span in breakdown.typical_step if span.kind == "collective")
    assert [waits[gpu] for gpu in range(gpus)] == [counted] * gpus


@two_gpus
@pytest.mark.parametrize("killed", [0, 1])
def test_a_rank_that_is_killed_in_the_midst_is_named(killed):
    keys = ["--depth=8", f"--dim={DIM}", f"--batch-size={BATCH}", f"--micro-batches={MICRO}"]
    command = [sys.executable, "-m", "mp", "--schedule=1f1b", "--gpus=2", "--device=cuda", *keys]
    command += ["--steps=1000000", "--time-limit-s=300", "--ci-half-width=0.0001"]
    child = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert any(line.startswith("timing") for line in child.stderr)
        os.kill(ranks_of(child.pid)[killed], signal.SIGKILL)
        output, _ = child.communicate(timeout=PATIENCE_S)
        error = decode(output.encode()).error
        assert re.fullmatch(f"rank {killed} on .*: ended by signal SIGKILL", error.message)
        assert ranks_of(child.pid) == {}
    finally:
        child.kill()


@two_gpus
def test_stages_balanced_by_measured_times_hold_every_layer_once():
    result = run("1f1b", 2, balance="time")
    assert result.outcome == "ok", result.error
    assert sorted(set(result.placement.gpu_of_layer)) == [0, 1]
    assert sum(result.placement.layers_per_gpu) == DEPTH


@two_gpus
def test_the_rank_whose_gpu_is_full_is_named():
    free, _ = torch.cuda.mem_get_info(1)
    filled = torch.empty(free - 3 * 2**30, dtype=torch.uint8, device="cuda:1")
    try:
        result = run("1f1b", 2, depth=4, dim=16384, batch_size=64)
    finally:
        del filled
        torch.cuda.empty_cache()
    assert result.outcome == "oom_gpu", result.error
    assert "rank 1" in result.error.message
