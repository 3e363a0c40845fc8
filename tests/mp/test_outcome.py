"""From a case to its result, whatever happens on the way."""

import os
import subprocess
import sys

import pytest
import torch

from mp.engine import outcome_of
from mp.launcher.launcher import free_port
from mp.model import LargeLinearModelMP
from mp.rendezvous.secret import SECRET, new_secret
from mp.run import run_case
from study.case import Case
from study.results.file import decode, encode
from study.results.result import Job
from tests.conftest import PATIENCE_S

pytestmark = pytest.mark.long

CASE = Case(depth=6, gpus=3, dim=16, batch_size=4, warmup_steps=1, steps=4)


def job(executor="none", requested=3, allocated=None, visible=None):
    return Job(
        executor=executor,
        slurm_job_id="17" if executor == "slurm" else None,
        requested_gpus=requested,
        allocated_gpus=allocated,
        visible_gpus=visible,
        submitted_at=None,
        started_at="2026-01-01T00:00:00+00:00",
        finished_at="2026-01-01T00:00:01+00:00",
    )


def run(case=CASE, policy="cpu", job=None, **numbers):
    return run_case(case, policy, job or globals()["job"](**numbers), lambda progress: None)


def test_a_measured_case_is_a_full_result_that_survives_its_file():
    result = run()
    assert result.outcome == "ok"
    assert decode(encode(result)) == result
    assert len(result.measurement.step_times_s) == 4
    assert result.placement.layers_per_gpu == [2, 2, 2]


def test_emulated_gpus_have_no_memory_of_their_own():
    result = run()
    assert result.emulated
    assert [gpu.peak_allocated_bytes for gpu in result.measurement.per_gpu] == [None] * 3


@pytest.mark.parametrize(("dtype", "optimizer"), [("float32", "sgd"), ("bfloat16", "adam")])
def test_the_first_loss_does_not_depend_on_the_split(dtype, optimizer):
    losses = {
        run(Case(depth=6, gpus=gpus, dim=16, batch_size=4, warmup_steps=1, steps=1, dtype=dtype,
                 optimizer=optimizer), requested=gpus).measurement.first_loss
        for gpus in (1, 2, 3)
    }  # fmt: skip
    assert len(losses) == 1


def test_tf32_without_a_gpu_is_an_error_that_says_so():
    result = run(Case(depth=2, gpus=1, dtype="tf32"), requested=1)
    assert result.outcome == "error"
    assert "CUDA GPUs only" in result.error.message


def test_a_model_that_computes_something_else_is_not_measured(monkeypatch):
    def crooked(self, x):
        return forward(self, 1.01 * x)

    forward = LargeLinearModelMP.forward
    monkeypatch.setattr(LargeLinearModelMP, "forward", crooked)
    result = run()
    assert result.outcome == "error"
    assert "differs from the unsplit model" in result.error.message
    assert result.measurement is None


def test_errors_have_the_outcome_of_their_kind():
    assert outcome_of(torch.OutOfMemoryError("CUDA out of memory")) == "oom_gpu"
    assert outcome_of(MemoryError()) == "oom_host"
    with pytest.raises(RuntimeError) as too_much:
        torch.empty(2**60, dtype=torch.uint8)  # more than any address space
    assert outcome_of(too_much.value) == "oom_host"
    assert outcome_of(ZeroDivisionError()) == "error"


@pytest.mark.parametrize(
    ("policy", "numbers", "agrees"),
    [
        ("cpu", {"executor": "slurm", "allocated": 3}, True),
        ("cpu", {"executor": "slurm", "allocated": 2}, False),
        ("cpu", {"executor": "slurm", "allocated": None}, False),
        ("cuda", {"executor": "slurm", "allocated": 3, "visible": 2}, False),
        ("cuda", {"executor": "local", "visible": 2}, False),
        ("cpu", {"executor": "local"}, True),
    ],
)
def test_gpus_that_do_not_agree_are_shown_with_their_numbers(policy, numbers, agrees):
    result = run(policy=policy, **numbers)
    assert (result.outcome == "ok") is agrees
    if not agrees:
        assert result.outcome == "gpu_mismatch"
        slurms = ", allocated by Slurm: " if numbers["executor"] == "slurm" else ", visible to"
        assert f"GPUs requested: 3{slurms}" in result.error.message


def test_layers_computed_on_the_wrong_gpu_are_not_measured(monkeypatch):
    def never_passes_the_baton(self, x):
        for i, layer in enumerate(self.layers):
            x = layer(x if i == 0 else torch.relu(x))
        return x

    monkeypatch.setattr(LargeLinearModelMP, "forward", never_passes_the_baton)
    result = run()
    assert result.outcome == "error"
    assert "data moved before layers []" in result.error.message


def test_a_rank_with_other_gpus_than_it_asked_for_shows_the_same_three_numbers():
    """In a process of its own, as torch's threads outlive a store that is gone."""
    alone = {"RANK": 0, "WORLD_SIZE": 1, "LOCAL_RANK": 0, "LOCAL_WORLD_SIZE": 1}
    alone |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": free_port(), SECRET: new_secret()}
    script = (
        "from tests.mp.test_outcome import Case, run\n"
        "case = Case(depth=2, gpus=1, dim=8, batch_size=4, schedule='gpipe')\n"
        "result = run(case, 'cuda', executor='slurm', requested=1, allocated=1, visible=0)\n"
        "print(result.outcome, result.error.message)\n"
    )
    environment = os.environ | {name: str(value) for name, value in alone.items()}
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )
    numbers = "GPUs requested: 1, allocated by Slurm: 1, visible to torch: 0"
    assert done.stdout.startswith(f"gpu_mismatch {numbers}")
