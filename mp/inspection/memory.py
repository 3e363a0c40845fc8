"""The memory of each GPU, by what `submit.py` predicts it by, before anything runs on several."""

import msgspec

from predict.memory.fit import Layers
from predict.memory.kinds.of_case import layers_of
from predict.memory.peaks import peaks_of
from predict.memory.scaled import scaled
from study.case import Case
from study.results.layers import ModelProfile
from study.schedules import SCHEDULES
from study.stages import in_first_replica
from study.values.gradients import gradients_under

LEFT_OUT = (
    "They are the tensors that torch would allocate and 65 MiB for cuBLAS; CUDA and NCCL take "
    "0.7 to 2.1 GiB besides. {}"
)
OF_OWN = (
    "The layers were measured here, so what other kernels take for themselves on a GPU is left out."
)


def memory_words(case: Case) -> str:
    """Return what the figures hold, and what they leave out."""
    return LEFT_OUT.format("" if layers_of(case) else OF_OWN).strip()


def gpu_bytes(
    case: Case, profile: ModelProfile, gpus: int, schedule: str, micro_batches: int
) -> list[int]:
    """Return the peak of each GPU with another schedule; of GPUs that hold the same, of the first.

    Args:
        case: of the model.
        profile: of its layers as measured here.
        gpus: how many.
        schedule: its name.
        micro_batches: of a step.
    """
    is_shared = SCHEDULES[schedule].is_pipeline
    tried = msgspec.structs.replace(
        case,
        gpus=gpus,
        schedule=schedule,
        micro_batches=micro_batches,
        balance="layers",
        gradients=gradients_under(case, schedule),
        data_parallel=case.data_parallel if is_shared else 1,
    )
    rows = max(1, tried.batch_size // tried.parts)
    layers = layers_of(tried) or Layers(scaled(profile, rows))
    found = {peak.gpu: peak.allocated for peak in peaks_of(tried, layers.model)}
    if SCHEDULES[schedule].is_on_all_gpus:
        return [*found.values()]
    return [found[in_first_replica(tried, gpu)] for gpu in range(gpus)]
