"""Weights drawn on real GPUs. Skipped without a GPU; run by hand on a GPU machine."""

import pytest
import torch

from mp.sharing import Sharing
from tests.mp.test_cuda_pipelines import run_options
from tests.mp.test_drawn_weights import APART, equal, numbers, workload

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
two_gpus = pytest.mark.skipif(torch.cuda.device_count() < 2, reason="needs two CUDA GPUs")


@APART
def test_on_gpus_each_layer_is_drawn_where_it_lies_and_equals_that_of_the_first_gpu(kind):
    gpus = [torch.device("cuda", gpu) for gpu in range(torch.cuda.device_count())]
    whole = workload(kind).draw_model(gpus[0])
    places = {number: gpus[number % len(gpus)] for number in range(len(whole))}
    if kind == "gpt tied":
        places[len(whole) - 1] = gpus[0]
    for number, layer in workload(kind).draw(places, Sharing()):
        assert {p.device for p in layer.parameters()} <= {places[number]}
        assert equal([n.cpu() for n in numbers(layer)], [n.cpu() for n in numbers(whole[number])])


@two_gpus
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_all_schedules_of_the_linear_stack_have_one_first_loss(dtype):
    losses = {}
    for schedule in ("naive", "1f1b", "zbv", "tensor", "ddp", "fsdp"):
        pipeline = ("--micro-batches=4",) if schedule in ("1f1b", "zbv") else ()
        sizes = ("--depth=6", "--dim=1024", "--batch-size=64", "--steps=3", f"--dtype={dtype}")
        result = run_options(f"--schedule={schedule}", "--gpus=2", *sizes, *pipeline)
        assert result.outcome == "ok", result.error
        assert result.measurement.draw_version == 2
        assert {phase.name for phase in result.phases} >= {"imports", "meeting", "drawing"}
        losses[schedule] = result.measurement.first_loss
    assert losses == pytest.approx(dict.fromkeys(losses, losses["naive"]), rel=1e-3)
