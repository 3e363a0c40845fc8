"""Made-up results of pipelines, tensor and data parallelism: a process a GPU, a played step."""

from itertools import pairwise

import msgspec

from predict.memory.linear.pipeline import predict_pipeline
from report.analysis.replay import orders_of
from study.results.environment import RankPlace
from study.results.measurement import Breakdown, GpuTime, TimeSpan
from study.results.result import Collective, PairTransfers, Placement, Transfers
from study.schedules import PIPELINES, SCHEDULES
from study.stages import chunks_of, gpu_of_stage, in_first_replica
from tests.report.made_up import MIB, case, result
from tests.report.orders import play

WORK_S = 0.3  # what a step computes, all GPUs together, besides the optimizer


def scheduled(
    schedule,
    *,
    gpus=5,
    step_s=None,
    stage_takes=None,
    transfer_s=0.0,
    launch_s=0.0,
    optimizer_s=0.0,
    together_s=None,
    threads=1,
    cores=64,
    **keys,
):
    """A result of the grid `pipeline`; the step lasts as long as its actions, or `step_s`.

    `stage_takes` holds how many times as long as the others the actions of a stage take,
    `together_s` what a GPU waits in each half of a step of tensor or data parallelism; without it,
    that step had no marks. Of replicas it is what averaging their gradients takes.
    """
    if schedule not in PIPELINES:
        keys.pop("micro_batches", None)
    else:
        keys.setdefault("micro_batches", 10)
    own = {key: keys.pop(key) for key in ("gpu_name", "peaks", "emulated") if key in keys}
    made = case("pipeline", schedule=schedule, gpus=gpus, **keys)
    spans = []
    if not SCHEDULES[schedule].is_on_all_gpus:
        seconds = _lengths(made, stage_takes or {})
        played = play(_of_one_replica(made), seconds, transfer_s, launch_s, optimizer_s)
        spans = _in_replicas(made, played, together_s or 0.0)
        step_s = step_s or max(span.end_s for span in spans)
    elif together_s is not None:
        spans = _split_layers(gpus, together_s, optimizer_s)
        step_s = step_s or max(span.end_s for span in spans)
    step_s = step_s or WORK_S / gpus
    given = result("pipeline", schedule=schedule, gpus=gpus, step_s=step_s, **own, **keys)
    breakdown = _breakdown(made, spans, step_s) if spans else None
    measurement = msgspec.structs.replace(given.measurement, breakdown=breakdown)
    changes = {"measurement": measurement}
    if schedule != "naive":
        measurement = msgspec.structs.replace(
            measurement, forward_s=[], backward_s=[], optimizer_s=[]
        )
        changes = {
            "measurement": measurement,
            "placement": _placement(made),
            "transfers": _transfers(made),
        }
    changes["environment"] = _environment(given, threads, cores)
    return msgspec.structs.replace(given, **changes)


def _lengths(made, stage_takes):
    """Forward and the two kinds of gradients take equally long."""
    unit = WORK_S / 3 / made.micro_batches / len(gpu_of_stage(made))

    def seconds(action):
        both = 2 if action.kind == "backward" else 1
        return unit * both * stage_takes.get(action.stage, 1)

    return seconds


def _of_one_replica(made):
    rows = made.batch_size // made.data_parallel
    return msgspec.structs.replace(made, gpus=made.pipeline_gpus, batch_size=rows, data_parallel=1)


def _in_replicas(made, played, together_s):
    """The spans of all replicas, each with its micro-batches, and their all-reduces."""
    if made.data_parallel == 1:
        return played
    spans = []
    for replica in range(made.data_parallel):
        mine = [
            msgspec.structs.replace(
                span,
                gpu=span.gpu * made.data_parallel + replica,
                micro_batch=None
                if span.micro_batch is None
                else span.micro_batch + replica * made.micro_batches,
            )
            for span in played
        ]
        done = [span for span in mine if span.kind != "optimizer"]
        for gpu in {span.gpu for span in done}:
            start = max(span.end_s for span in done if span.gpu == gpu)
            end = start + together_s
            done.append(TimeSpan(gpu=gpu, kind="collective", start_s=start, end_s=end))
        spans += done + [
            msgspec.structs.replace(
                span, start_s=span.start_s + together_s, end_s=span.end_s + together_s
            )
            for span in mine
            if span.kind == "optimizer"
        ]
    return spans


def _split_layers(gpus, together_s, optimizer_s):
    """What each GPU does at the same time as all others."""
    parts = [("forward", WORK_S / 3 / gpus), ("collective", together_s)]
    parts += [("backward", WORK_S * 2 / 3 / gpus), ("collective", together_s)]
    parts += [("optimizer", optimizer_s)]
    spans = []
    for gpu in range(gpus):
        now = 0.0
        for kind, took in parts:
            spans.append(TimeSpan(gpu=gpu, kind=kind, start_s=now, end_s=now + took))
            now += took
    return spans


def _breakdown(made, spans, step_s):
    if made.schedule == "naive":  # as it is measured within one process
        spans = [msgspec.structs.replace(s, stage=None, micro_batch=None) for s in spans]

    def took(gpu, *kinds):
        return [sum(s.end_s - s.start_s for s in spans if s.gpu == gpu and s.kind in kinds)] * 3

    gradients = ("backward", "input_gradient", "weight_gradient")
    received = ("transfer_in", "collective")
    return Breakdown(
        clock="cuda_events",
        step_times_s=[step_s] * 3,
        per_gpu=[
            GpuTime(
                index=gpu,
                forward_s=took(gpu, "forward"),
                backward_s=took(gpu, *gradients),
                optimizer_s=took(gpu, "optimizer"),
                transfer_in_s=took(gpu, *received),
                transfer_out_s=[0.0] * 3,
                idle_s=[step_s - took(gpu, "forward", *gradients, "optimizer", *received)[0]] * 3,
                weight_gradient_s=took(gpu, "weight_gradient")
                if made.schedule in ("zero_bubble", "zbv")
                else None,
            )
            for gpu in range(made.gpus)
        ],
        typical_step=spans,
    )


def _placement(made):
    if SCHEDULES[made.schedule].is_on_all_gpus:
        return Placement(gpu_of_layer=[], layers_per_gpu=[made.layers] * made.gpus)
    owner = gpu_of_stage(made)
    stages = [i * len(owner) // made.layers for i in range(made.layers)]
    places = [owner[stage] for stage in stages]
    return Placement(
        gpu_of_layer=places,
        layers_per_gpu=[places.count(in_first_replica(made, gpu)) for gpu in range(made.gpus)],
        stage_of_layer=stages if chunks_of(made) > 1 or made.data_parallel > 1 else None,
    )


def _transfers(made):
    """One move for each micro-batch and border, each way; or two all-reduces for two layers."""
    batch = made.batch_size * made.dim * 4
    if SCHEDULES[made.schedule].is_on_all_gpus:
        calls = made.depth // 2 if made.gpus > 1 else 0
        ways = ("forward", "backward")
        reduced = [Collective(operation="all_reduce", phase=way, calls=calls, bytes=calls * batch)
                   for way in ways]  # fmt: skip
        return _moved([], reduced)
    owner, m = gpu_of_stage(made), made.micro_batches
    borders = [(a, b) for a, b in pairwise(owner) if a != b]
    pairs = [PairTransfers(source=s, target=t, phase=phase, moves=m, bytes=batch)
             for phase, turn in (("forward", 1), ("backward", -1))
             for s, t in (pair[::turn] for pair in borders)]  # fmt: skip
    replicas = range(made.data_parallel)
    pairs = [
        msgspec.structs.replace(
            pair, source=pair.source + r, target=pair.target + r, bytes=pair.bytes // len(replicas)
        )
        for pair in pairs
        for r in replicas
    ]
    reduced = Collective(operation="all_reduce", phase="backward", calls=made.pipeline_gpus,
                         bytes=made.depth * (made.dim**2 + made.dim) * 2)  # fmt: skip
    return _moved(pairs, [reduced] if made.data_parallel > 1 else [])


def _moved(pairs, collectives):
    def total(key, phase):
        return sum(getattr(pair, key) for pair in pairs if pair.phase == phase)

    return Transfers(
        to_calls_per_forward=None,
        moves_forward=total("moves", "forward"),
        moves_backward=total("moves", "backward"),
        bytes_forward=total("bytes", "forward"),
        bytes_backward=total("bytes", "backward"),
        moved_before_layers=[],
        by_pair=pairs,
        collectives=tuple(collectives),
    )


def _environment(given, threads, cores):
    ranks = ()
    if given.case.in_processes:
        kind = "cpu" if given.emulated else "cuda"
        ranks = tuple(
            RankPlace(rank=r, host="node1", device=kind if given.emulated else f"{kind}:{r}",
                      threads=threads)
            for r in range(given.case.gpus)
        )  # fmt: skip
    return msgspec.structs.replace(
        given.environment, cpu_threads=threads, cpu_count=cores, ranks=ranks
    )


def peaks(gpus, mib):
    """So much peak memory on each of the GPUs."""
    return [mib * MIB] * gpus


def predicted_by_closed_forms(result, reduction=0):
    """What each GPU of a linear stack's pipeline holds at its peak, by the actions of its step."""
    stages = result.placement.stage_of_layer or result.placement.gpu_of_layer
    found = predict_pipeline(result.case, stages, reduction, orders_of(result))
    return [found[gpu] for gpu in range(result.case.gpus)]
