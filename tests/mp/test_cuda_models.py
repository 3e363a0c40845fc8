"""Models of every kind on real GPUs. Skipped without a GPU; run by hand on a GPU machine.

A result with outcome ok has had its losses and gradients compared with the unsplit model's.
"""

from functools import cache

import pytest
import torch

from mp.profiling.layer_seconds import BusyGpuTimer
from report.analysis.predicted_memory import predicted_peak
from report.data.measured import measured
from tests.mp.test_cuda_pipelines import run_options

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
two_gpus = pytest.mark.skipif(torch.cuda.device_count() < 2, reason="needs two CUDA GPUs")
GPT = ("--kind=gpt", "--depth=6", "--dim=512", "--heads=8", "--seq-len=512", "--vocab=16384",
       "--batch-size=32", "--dtype=bfloat16", "--optimizer=adam")  # fmt: skip
CONV = ("--kind=conv", "--preset=resnet50-gn", "--batch-size=64", "--dtype=bfloat16")
MOE = ("--factory=models/moe.py:build", "--depth=6", "--batch-size=256")
MODELS = {
    "gpt": GPT,
    "gpt, tied": (*GPT, "--tied=true"),
    "conv, GroupNorm": CONV,
    "conv, BatchNorm": (*CONV, "--norm=batch"),
    "own": MOE,
}
CASES = [
    pytest.param("naive", 1, id="naive on 1"),
    pytest.param("1f1b", 2, id="1f1b on 2", marks=two_gpus),
    pytest.param("zbv", 2, id="zbv on 2", marks=two_gpus),
]


@cache
def run(model, schedule, gpus):
    """The result of a case by hand, once for all tests that look at it."""
    pipeline = () if schedule == "naive" else ("--micro-batches=4", "--gradients=separate")
    limit = ("--time-limit-s=3",)
    return run_options(
        f"--schedule={schedule}", f"--gpus={gpus}", *MODELS[model], *pipeline, *limit
    )


@pytest.mark.parametrize(("schedule", "gpus"), CASES)
@pytest.mark.parametrize("model", MODELS)
def test_every_kind_of_model_is_right_and_its_peaks_are_as_predicted(model, schedule, gpus):
    result = run(model, schedule, gpus)
    assert result.outcome == "ok", result.error
    tolerance = 0.10 if "conv" in model else 0.05
    for gpu, memory in enumerate(result.measurement.per_gpu):
        predicted = predicted_peak(measured(result), gpu)
        assert memory.peak_allocated_bytes == pytest.approx(predicted, rel=tolerance)


@two_gpus
@pytest.mark.parametrize("model", ["gpt", "gpt, tied", "conv, GroupNorm", "own"])
def test_the_first_loss_of_every_split_is_that_of_one_gpu(model):
    first = run(model, "naive", 1).measurement.first_loss
    for schedule in ("1f1b", "zbv"):
        assert run(model, schedule, 2).measurement.first_loss == pytest.approx(first, rel=1e-3)


def test_kernels_are_timed_as_a_busy_gpu_runs_them_not_as_the_host_launches_them():
    x = torch.randn(512, 512, device="cuda")
    device, layer = torch.device("cuda", 0), torch.nn.Linear(512, 512, device="cuda")

    def run():
        for _ in range(200):
            layer(x)

    with torch.no_grad():
        busy_s = seconds_of(run, BusyGpuTimer(device))
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            run()
        replayed_s = seconds_of(graph.replay, BusyGpuTimer(device))
    assert busy_s == pytest.approx(replayed_s, rel=0.25)


def seconds_of(run, timer):
    """The seconds of a call that the host launched in time."""
    timer.is_late = True
    while timer.is_late:
        timer.is_late = False
        seconds = timer.seconds(run)
    return seconds
