"""Predicted peak memory of each GPU of a pipeline, from its actions and the layers as measured.

What torch.distributed.pipelining keeps is that of predict/memory/linear/pipeline.py; here every
layer has sizes of its own.
"""

from collections.abc import Sequence

from predict.memory.layers.pipeline_fused import FusedGpu
from predict.memory.layers.pipeline_gpu import Gpu
from predict.memory.parts import MemoryBreakdown
from study.case import Case
from study.results.layers import ModelProfile
from study.results.measurement import TimeSpan
from study.stages import in_first_replica


def follow_pipeline(
    case: Case, model: ModelProfile, stage_of_layer: Sequence[int], actions: Sequence[TimeSpan]
) -> list[MemoryBreakdown]:
    """Return what each GPU holds at its peak.

    Args:
        case: the configuration.
        model: its layers, measured with a micro-batch.
        stage_of_layer: the stage of each layer.
        actions: computing spans of the typical step, sorted by start.
    """
    kind = FusedGpu if case.gradients == "fused" else Gpu
    return [
        kind(case, model, stage_of_layer, in_first_replica(case, gpu)).peak_of(
            a for a in actions if a.gpu == gpu
        )
        for gpu in range(case.gpus)
    ]
