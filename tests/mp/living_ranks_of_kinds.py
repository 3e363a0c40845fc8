"""Two forked ranks: the most bytes of living tensors in a step, and those predicted.

Started by test_profile_on_ranks.py; prints a line for each kind of model, schedule and rank: the
peak, the prediction, and the operations counted on all ranks beside those of the profile. Then
come the lines of living_data_parallel.py.
"""

import gc
import sys
import warnings

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

from mp.distributed.instruments import HostOffset, record_timeline
from mp.distributed.pipeline import PipelineStep
from mp.distributed.stages import make_stages
from mp.families.registry import workload_of
from mp.profiling.operations import OperationCounter
from mp.profiling.profile import measure_profile
from mp.timing.clocks import clock_of
from mp.timing.timeline import break_down
from predict.memory.layers.pipeline import follow_pipeline
from report.analysis.profiled.shapes import operations_of
from report.analysis.replay import COMPUTE_KINDS, orders_in
from study.schedules import IN_TWO_PARTS, PIPELINES
from study.validation import make_case
from tests.mp.forked_ranks import fork, meet
from tests.mp.living_data_parallel import say_all
from tests.report.living_ranks import LiveBytes

MODELS = {
    "linear": {"depth": 6, "dim": 64, "batch_size": 2048},
    "gpt": {"kind": "gpt", "depth": 4, "dim": 32, "heads": 4, "seq_len": 64, "vocab": 300,
            "batch_size": 16},
    "conv": {"kind": "conv", "depth": 4, "width": 8, "image": 32, "classes": 10,
             "batch_size": 16},
}  # fmt: skip
HOW = [(schedule, "separate") for schedule in PIPELINES]
HOW += [(schedule, "fused") for schedule in ("gpipe", "1f1b", *IN_TWO_PARTS)]
CPU = torch.device("cpu")


def actions_in(breakdown):
    spans = [span for span in breakdown.typical_step if span.kind in COMPUTE_KINDS]
    return sorted(spans, key=lambda span: (span.start_s, span.end_s))


def measure(case, world):
    """Return this rank's peak and prediction, and this rank's operations and the model's."""
    workload, stages = workload_of(case), make_stages(case)
    model = measure_profile(workload, CPU, case.batch_size // case.micro_batches)
    step = PipelineStep(workload, stages, world)
    step()  # makes what the others find made
    seen = break_down(
        [record_timeline(step, world, HostOffset(0.0, 0.0), clock_of(world.devices))], "host"
    )
    gc.collect()
    already = [found for found in gc.get_objects() if isinstance(found, torch.Tensor)]
    with LiveBytes(*already) as live:
        del already
        step()
    predicted = follow_pipeline(case, model, stages.stage_of_layer, orders_in(actions_in(seen)))
    with sdpa_kernel(SDPBackend.MATH), OperationCounter([]) as counter:
        step()
    return live.peak, predicted[world.rank].total, counter.total, operations_of(case, model).total


def as_rank(rank, ranks, port):
    torch.set_num_threads(1)
    world = meet(rank, ranks, port)
    for name, keys in MODELS.items():
        for schedule, gradients in HOW:
            sizes = {"gpus": ranks, "schedule": schedule, "micro_batches": 4} | keys
            if schedule == "interleaved_1f1b":
                sizes["chunks_per_gpu"] = 2
            found = measure(make_case(sizes | {"gradients": gradients}, "test"), world)
            for its, numbers in enumerate(world.all_gather(found, tuple[int, int, int, int])):
                if rank == 0:
                    print(name, f"{schedule}-{gradients}", its, *numbers, flush=True)
    say_all(world)
    world.shutdown()


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    sys.exit(not fork(2, as_rank))
