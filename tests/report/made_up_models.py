"""Made-up results of a GPT under several schedules, and those that ran out of memory."""

import msgspec

from report.answers import model
from study.results.result import CaseFailure
from tests.report.made_up import measuring
from tests.report.made_up_pipeline import scheduled
from tests.report.shown import shown_in, text_of

GRID = """\
axes: {{gpus: {gpus}, schedule: [naive, gpipe, 1f1b], micro_batches: [8], balance: [layers, time]}}
table: {table}
model: {{kind: gpt, depth: 24, batch_size: 64}}
train: {{dtype: bfloat16, optimizer: adam}}
"""
NOTHING = ("placement", "measurement", "transfers", "ceilings", "environment", "model")


def gpt(schedule, gpus, step_s=0.1, **keys):
    """A GPT of 24 blocks; pipelines have 8 micro-batches."""
    own = {"kind": "gpt", "depth": 24, "batch_size": 64, "dtype": "bfloat16", "optimizer": "adam"}
    if schedule != "naive":
        own["micro_batches"] = 8
    return scheduled(schedule, gpus=gpus, step_s=step_s, **(own | keys))


def out_of_memory(schedule, gpus, outcome="oom_gpu", **keys):
    """The same case, which ended before anything was measured."""
    error = CaseFailure(type="OutOfMemoryError", message="CUDA out of memory")
    changes = dict.fromkeys(NOTHING) | {"outcome": outcome, "error": error}
    return msgspec.structs.replace(gpt(schedule, gpus, **keys), **changes)


def cut(given, layers_per_gpu):
    """The pipeline, with this many layers on each GPU."""
    places = [gpu for gpu, count in enumerate(layers_per_gpu) for _ in range(count)]
    placement = msgspec.structs.replace(
        given.placement, gpu_of_layer=places, layers_per_gpu=list(layers_per_gpu)
    )
    return msgspec.structs.replace(given, placement=placement)


def uninstrumented(given):
    """The result without instrumented steps."""
    return measuring(given, breakdown=None)


def losing(given, loss):
    """The result with this loss of its first step."""
    return measuring(given, first_loss=loss)


def profiled(given, **changes):
    """The result with another profile of its layers."""
    return msgspec.structs.replace(given, model=msgspec.structs.replace(given.model, **changes))


def answers(folder, *results, gpus=(1, 2, 4), table="model"):
    """All sentences below the table of these results, the first on GPUs, and the headlines."""
    text = GRID.format(gpus=list(gpus), table=table)
    section, headlines = shown_in(folder, text, *results)
    on_gpus = [a for a in section.answers if a.question == model.QUESTION]
    first = (on_gpus or section.answers)[0].sentences[0]
    return text_of(section), first, headlines
