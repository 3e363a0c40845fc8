"""Predicted peak memory of each GPU of a pipeline, from its actions and the layers as measured.

What torch.distributed.pipelining keeps is that of predict/memory/linear/pipeline.py; here every
layer has sizes of its own.
"""

from collections.abc import Mapping, Sequence

from predict.memory.layers.pipeline_fused import FusedGpu
from predict.memory.layers.pipeline_gpu import Gpu
from predict.memory.parts import MemoryBreakdown
from predict.orders.action import Action
from study.case import Case
from study.results.layers import ModelProfile
from study.stages import in_first_replica


def follow_pipeline(
    case: Case,
    model: ModelProfile,
    stage_of_layer: Sequence[int],
    orders: Mapping[int, Sequence[Action]],
) -> dict[int, MemoryBreakdown]:
    """Return what each GPU holds at its peak.

    Args:
        case: the configuration.
        model: its layers, measured with a micro-batch.
        stage_of_layer: the stage of each layer.
        orders: the actions of each GPU, in their order.
    """
    kind = FusedGpu if case.gradients == "fused" else Gpu
    return {
        gpu: kind(case, model, stage_of_layer, in_first_replica(case, gpu)).peak_of(actions)
        for gpu, actions in orders.items()
    }
