"""Made-up calibrations of the linear stack: round numbers, to be added up by hand."""

import msgspec

from study.case import Case
from study.results.calibration.host import HostAction, HostRun
from study.results.calibration.layers import LayerKind, LayerTime, LoadedTime, UpdateTime
from study.results.calibration.links import BesideTime, CollectiveTime, MessageTime
from study.results.calibration.record import Calibration
from study.results.calibration.timing import timed
from study.results.environment import Environment, Gpu
from study.results.result import Code, Job, Result

MS = 1e-3
# Of a layer with 1024 rows: forward, and each part of backward.
FORWARD, INPUT, WEIGHT, ADDED = 1 * MS, 1 * MS, 1 * MS, 1.1 * MS
MODEL = {"depth": 8, "dim": 1024, "dtype": "bfloat16"}
GPT = {"kind": "gpt", "heads": 4, "seq_len": 8, "vocab": 32, "tied": False, "depth": 4}
TIMES = ("seconds", "low_s", "high_s")


def case(**changes) -> Case:
    """A case of the model that is calibrated here."""
    values = MODEL | {"gpus": 2, "batch_size": 8192, "schedule": "gpipe", "micro_batches": 8}
    return Case(**(values | changes))


def calibration(gpus: int = 1, nodes: int = 1, /, **changes) -> Result:
    """A calibration of one GPU, or of several."""
    made = _one() if gpus == 1 else _several(gpus, nodes)
    known = set(Calibration.__struct_fields__)
    made = msgspec.structs.replace(
        made, **{k: v for k, v in changes.items() if k in known - {"gpus"}}
    )
    of_case = {k: v for k, v in changes.items() if k in Case.__struct_fields__ and k != "gpus"}
    calibrates = "rows=1024 gradients=separate schedules=1f1b layers=8"
    calibrates += f" nodes={nodes}" if nodes > 1 else ""
    made_for = {"gpus": gpus, "batch_size": 8192, "calibrates": calibrates}
    its = Case(**(MODEL | made_for | of_case))
    environment = _environment(gpus)
    of_environment = {k: v for k, v in changes.items() if k in Environment.__struct_fields__}
    return Result(
        case=its,
        case_id=its.case_id,
        outcome=changes.get("outcome", "ok"),
        error=changes.get("error"),
        emulated=bool(changes.get("emulated")),
        placement=None,
        measurement=None,
        transfers=None,
        ceilings=None,
        environment=msgspec.structs.replace(environment, **of_environment),
        job=Job(
            executor="local",
            slurm_job_id=None,
            requested_gpus=gpus,
            allocated_gpus=gpus,
            visible_gpus=gpus,
            submitted_at=None,
            started_at="2030-01-01T10:00:00.000+00:00",
            finished_at=changes.get("finished_at", "2030-01-01T10:01:00.000+00:00"),
        ),
        code=Code(commit="0" * 40, dirty=False),
        calibration=None if changes.get("error") else made,
    )


def _timed(entry, seconds, **fields):
    return timed(entry, [seconds] * 5, **fields)


def _one() -> Calibration:
    return Calibration(
        gpus=1,
        nodes=1,
        measuring_s=20.0,
        kinds=_kinds(),
        layers=tuple(_layers(1024, 1.0)) + tuple(_layers(512, 0.5)) + tuple(_layers(8192, 8.0))
        + tuple(_layers(4096, 4.0)) + tuple(_layers(8192, 4.0, shares=2)),
        updates=tuple(
            _timed(UpdateTime, layers * part * MS, action=action, parameters=layers * 2**20,
                   tensors=2 * layers, bytes=layers * 2**21, pace="sustained")
            for action, part in (("optimizer", 0.1), ("scaling", 0.05))
            for layers in (2, 8)
        ),
        host=tuple(_host()),
    )  # fmt: skip


def _kinds() -> tuple[LayerKind, ...]:
    size = {"parameters": 2**20, "parameter_bytes": 2**21}
    nothing = {"parameters": 0, "parameter_bytes": 0}
    return (
        LayerKind(name="layer 0", layers=(0,), **size),
        LayerKind(name="layer", layers=tuple(range(1, 8)), **size),
        LayerKind(name="loss", layers=(), **nothing),
    )


def _layers(rows: int, factor: float, shares: int = 1):
    first = {"forward": FORWARD, "backward_first": WEIGHT, "backward_later": ADDED}
    rest = {
        "forward": FORWARD,
        "backward_first": INPUT + WEIGHT,
        "backward_later": INPUT + ADDED,
        "input_gradient": INPUT,
        "weight_first": WEIGHT,
        "weight_later": ADDED,
    }
    loss = {"forward": 0.1 * MS, "backward_first": 0.1 * MS, "backward_later": 0.1 * MS}
    for kind, actions in enumerate((first, rest, loss)):
        for action, seconds in actions.items():
            yield _timed(
                LayerTime, factor * seconds, kind=kind, action=action, rows=rows,
                gradients="separate", pace="sustained", shares=shares,
            )  # fmt: skip


def of_gpt() -> dict:
    """The changes that make a calibration one of a GPT: half a block, 4 blocks, 3 blocks; of a row.

    Launching a layer takes as long as computing it.
    """
    names, factors = ("embedding", "block", "head"), (0.5, 1.0, 3.0)
    numbers = ((0,), (1, 2, 3, 4), (5,))
    *_, like, loss = _kinds()
    kinds = [
        msgspec.structs.replace(like, name=name, layers=its)
        for name, its in zip(names, numbers, strict=True)
    ]
    times = [
        msgspec.structs.replace(t, kind=n, rows=1, **{k: f * getattr(t, k) for k in TIMES})
        for n, f in enumerate(factors)
        for t in _layers(512, 0.5)
        if t.kind == 1
    ]
    launched = [msgspec.structs.replace(t, pace="host") for t in times]
    times += [msgspec.structs.replace(t, kind=3, rows=1) for t in _layers(512, 0.5) if t.kind == 2]
    return GPT | {"kinds": (*kinds, loss), "layers": (*times, *launched)}


def host_run(schedule: str, kind: str, layers: int, /, step: float, **actions: float) -> HostRun:
    """A run of tiny layers of a kind of model, from the milliseconds of its step and actions."""
    return HostRun(
        schedule=schedule, gradients="separate", gpus=2, micro_batches=1, layers_per_gpu=layers,
        messages=0, step_times_s=(step * MS,), kind=kind,
        actions=tuple(
            _timed(HostAction, ms * MS, kind=name, per_step=1) for name, ms in actions.items()
        ),
    )  # fmt: skip


def _host(gpus: int = 1, schedules=("gpipe", "1f1b", "zero_bubble", "interleaved_1f1b", "zbv")):
    each = {"forward": 0.02, "backward": 0.02, "input_gradient": 0.02, "weight_gradient": 0.02,
            "scaling": 0.1, "optimizer": 0.1, "between": 0.4}  # fmt: skip
    for schedule in schedules:
        for layers in (2, 8):
            chunks = 2 if schedule in ("interleaved_1f1b", "zbv") else 1
            once = ("scaling", "optimizer", "between")
            yield HostRun(
                schedule=schedule,
                gradients="separate",
                gpus=gpus,
                micro_batches=8,
                layers_per_gpu=layers,
                messages=0 if gpus == 1 else 16,
                actions=tuple(
                    _timed(HostAction, seconds * layers / 2 * MS, kind=kind,
                           per_step=1 if kind in once else 8 * chunks)
                    for kind, seconds in each.items()
                ),
                step_times_s=(10 * MS,),
            )  # fmt: skip
    for schedule in ("naive", "tensor", "ddp", "fsdp"):
        for layers in (2, 8):
            yield HostRun(
                schedule=schedule, gradients="separate", gpus=gpus, micro_batches=1,
                layers_per_gpu=layers, messages=0, actions=(), step_times_s=(layers * 0.1 * MS,),
            )  # fmt: skip


def _several(gpus: int, nodes: int) -> Calibration:
    sizes = (2**20, 2**21, 2**24)
    return Calibration(
        gpus=gpus,
        nodes=nodes,
        measuring_s=20.0,
        kinds=_kinds(),
        messages=tuple(
            _timed(MessageTime, (0.01 + size / 2**21 * 0.05) * MS, way=way, bytes=size, nodes=nodes)
            for way in ("in a row", "relay")
            for size in sizes
        ),
        collectives=tuple(
            _timed(CollectiveTime, size / 2**21 * 0.1 * MS, operation=operation, way="in a row",
                   gpus=gpus, nodes=nodes, bytes=size)
            for operation in ("all_reduce", "all_gather", "reduce_scatter")
            for size in sizes
        ),
        beside=tuple(
            _timed(BesideTime, factor * FORWARD, beside=beside, action="forward", kind=1,
                   layers=1, rows=1024)
            for beside, factor in (("nothing", 1.0), ("pending receive", 1.25))
        ),
        host=tuple(_host(gpus)),
    )  # fmt: skip


def loaded(paces: dict[float, float]) -> tuple[LoadedTime, ...]:
    """Seconds at shares of the time, by the pace at each."""
    return tuple(
        _timed(LoadedTime, pace * 3 * MS, busy_share=share, kind=1, layers=1, rows=1024,
               sm_clock_hz=None, power_w=None, temperature_celsius=None, throttle_reasons=None)
        for share, pace in paces.items()
    )  # fmt: skip


def _environment(gpus: int) -> Environment:
    return Environment(
        host="node1",
        kernel="6.1",
        cpu="EPYC",
        cpu_count=64,
        cpu_affinity=8,
        cpu_threads=8,
        gpus=[
            Gpu(index=n, name="NVIDIA H100", uuid=f"uuid-{n}", total_memory_bytes=80 * 2**30,
                max_sm_clock_hz=1_980_000_000, power_limit_w=700.0, before=None, after=None)
            for n in range(gpus)
        ],
        topology=[],
        driver="550.1",
        cuda="12.8",
        cudnn="9.1.0",
        nccl="2.28.9",
        torch="2.13.0",
        python="3.11.7",
        packages={},
        variables={},
        tf32=False,
        float32_matmul_precision="highest",
    )  # fmt: skip
