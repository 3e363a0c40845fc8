"""A step of DeepSpeed's pipeline, for benchmarks/peers.py: PipelineModule and train_batch, 1F1B.

Each stage is one item of the PipelineModule, so that DeepSpeed cuts where we do. Its reports
of steps, throughput timer and gradient clipping are off; everything else is as DeepSpeed ships it.
"""

import os
from collections.abc import Callable
from itertools import cycle, pairwise
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mp.distributed.world import World
    from study.case import Case

# Weights, gradients and Adam's state in bfloat16, as ours.
AS_OURS: dict[str, Any] = {"communication_data_type": "bf16"}
# As DeepSpeed's users train: weights, gradients' sums and Adam's state in float32, in ZeRO stage 1.
MASTER: dict[str, Any] = {
    "bf16": {"enabled": True},
    "data_types": {"grad_accum_dtype": "fp32"},
    "zero_optimization": {"stage": 1},
    "zero_allow_untested_optimizer": True,
}


def deepspeed_step(
    case: "Case", world: "World", starts: list[int], has_master: bool
) -> Callable[[], float | None]:
    """Return a step of DeepSpeed's pipeline, which returns its loss the first time.

    Args:
        case: of the GPT.
        world: the ranks, which have met.
        starts: the first layer of each GPU.
        has_master: keep float32 master weights, which ours does not.
    """
    os.environ.setdefault("DS_ACCELERATOR", world.device.type)  # read at import
    import deepspeed
    from torch import nn

    from mp.families.registry import workload_of
    from mp.workload import make_optimizer

    workload = workload_of(case)
    layers = [layer.cpu().to(workload.dtype) for layer in workload.draw_model(world.device)]
    x, target = workload.draw_batch(case.batch_size, world.device)
    stages = [nn.Sequential(*layers[a:b]) for a, b in pairwise([*starts, case.layers])]
    deepspeed.init_distributed(verbose=False)  # adopts the group of our ranks
    model = deepspeed.PipelineModule(
        layers=stages, num_stages=case.gpus, loss_fn=workload.loss, partition_method="uniform"
    )
    engine, *_ = deepspeed.initialize(
        model=model,
        optimizer=make_optimizer(case, model.parameters()),
        config=config_of(case, has_master),
    )
    chunks = [each.chunk(case.micro_batches) for each in (x, target)]
    micro_batches = cycle(list(zip(*chunks, strict=True)))
    first = [True]

    def run() -> float | None:
        loss = engine.train_batch(data_iter=micro_batches)
        return loss.item() if first and first.pop() else None  # reading it waits for the GPU

    return run


def config_of(case: "Case", has_master: bool) -> dict[str, Any]:
    """Return DeepSpeed's configuration for a case."""
    kind = MASTER if has_master else AS_OURS if case.dtype == "bfloat16" else {}
    return kind | {
        "train_batch_size": case.batch_size,
        "train_micro_batch_size_per_gpu": case.batch_size // case.micro_batches,
        "gradient_accumulation_steps": case.micro_batches,
        "gradient_clipping": 0.0,  # else it clips at norm 1, which ours does not
        "steps_per_print": None,
        "timers": {"throughput": {"enabled": False}},  # waits for the GPU in every micro-batch
    }
