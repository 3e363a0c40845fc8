"""Time of the host: steps under each schedule of layers so small that nothing else takes time.

All processes run at once, on the same CPU cores, as in the steps that are to be predicted.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from msgspec import UNSET
from msgspec.structs import replace

from mp.calibration.host.recorder import Recorder, time_step
from mp.calibration.rounds import Slots, rounds
from mp.calibration.setting import Setting
from mp.calibration.stopwatch import LEAST_S
from mp.engine import Communicator, Step
from mp.hardware.memory import release_cache
from mp.timing.timer import no_garbage_collection
from study.case import Case
from study.results.calibration.host import HostAction, HostRun
from study.results.calibration.timing import timed
from study.schedules import IN_TWO_PARTS, SCHEDULES
from study.values.keys import DEFAULTS

DIM, ROWS = 64, 8  # of a layer, and of its micro-batch: microseconds on a GPU
FEW, MANY = 2, 6  # layers of each GPU
# Blocks of models whose own layers are run where all GPUs have all of them, since what DDP and FSDP
# do for a layer grows with its parameters. Of a ResNet one, then two, in each of its groups.
BLOCKS = {"gpt": (FEW, MANY), "conv": (4, 8)}
WARM_UP = 3
OF_MODELS = ("heads", "seq_len", "vocab", "tied", "width", "image", "classes", "norm", "factory",
             "sha256", "args", "calibrates")  # fmt: skip


@dataclass
class _Seen:
    """Steps of one run, as this rank saw them.

    Attributes:
        actions: seconds of each kind of action, of all steps together.
        per_step: how many of them there were in the last step.
        messages: sends and receives of the rank that had most.
    """

    steps_s: list[float] = field(default_factory=list)
    actions: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    per_step: dict[str, int] = field(default_factory=dict)
    messages: int = 0


def measure_host(setting: Setting, seconds: float) -> list[HostRun]:
    """Return steps of tiny layers under each schedule: few and many layers, and micro-batches.

    Args:
        setting: of the calibration.
        seconds: for all of them.
    """
    cases = host_cases(setting)
    slots, found = Slots(seconds, len(cases)), list[HostRun]()
    for case, layers in cases:
        slot_s = slots.next()
        if setting.deadline.is_over():
            setting.left_out.append(f"No time was left for the host's time of {case.schedule}.")
            continue
        engine = setting.engine_of(case)
        seen = _run(engine.build(case), setting.world, slot_s, puts_off=_puts_off(case))
        found.append(_entry(case, layers, _of_all(seen, setting.world)))
        release_cache()
    return found


def host_cases(setting: Setting) -> list[tuple[Case, int]]:
    """Return the cases of tiny layers that are run, with the layers of each of their GPUs.

    Args:
        setting: of the calibration.
    """
    found = []
    for name in _schedules(setting):
        is_of_model = SCHEDULES[name].family == "data" and setting.case.kind in BLOCKS
        found += (_of_model if is_of_model else _of_linear_layers)(setting, name)
    return found


def _schedules(setting: Setting) -> list[str]:
    """Return the schedules that run as this case does: in processes, or in one."""
    return [
        name
        for name in setting.wanted.schedules
        if (SCHEDULES[name].family == "naive") != setting.case.in_processes
    ]


def _of_model(setting: Setting, schedule: str) -> list[tuple[Case, int]]:
    """Return cases of the model, with tiny layers of all its kinds, under a schedule."""
    gpus, found = setting.world.size, []
    for gradients in setting.wanted.gradients_under(schedule):
        small = setting.workload(gradients).small_case()
        for blocks in BLOCKS[setting.case.kind]:
            case = replace(
                small,
                schedule=schedule,
                gradients=gradients,
                gpus=gpus,
                depth=blocks,
                micro_batches=1,
                batch_size=ROWS * gpus,
                calibrates=UNSET,
            )
            found.append((case, case.layers))
    return found


def _of_linear_layers(setting: Setting, schedule: str) -> list[tuple[Case, int]]:
    """Return cases of a linear stack under a schedule."""
    gpus, entry = setting.world.size, SCHEDULES[schedule]
    batches = [(FEW, 2), (MANY, 2), (FEW, 4)] if entry.is_pipeline else [(FEW, 1), (MANY, 1)]
    ways = setting.wanted.gradients_under(schedule)
    defaults: dict[str, Any] = {key: DEFAULTS[key] for key in ("kind", "recompute")}
    defaults |= dict.fromkeys(OF_MODELS, UNSET)
    found = []
    for gradients in ways:
        for layers, times in batches:
            m = times * gpus if entry.is_pipeline else 1
            depth = layers if entry.is_on_all_gpus else layers * gpus
            keys: dict[str, Any] = defaults | {
                "schedule": schedule,
                "gradients": gradients,
                "gpus": gpus,
                "depth": depth,
                "dim": DIM * gpus,
                "micro_batches": m,
                "batch_size": ROWS * gpus * m,
            }
            found.append((replace(setting.case, **keys), layers))
    return found


def _puts_off(case: Case) -> bool:
    """Return whether the first stage computes all gradients where others do those of weights."""
    return case.schedule in IN_TWO_PARTS and case.gradients == "separate"


def _run(step: Step, world: Communicator, seconds: float, *, puts_off: bool) -> _Seen:
    """Run steps until the time is over.

    Args:
        step: this rank's part.
        world: all ranks.
        seconds: after which no step begins.
        puts_off: whether the first stage has its whole backward as its weight gradients.
    """
    seen, recorder = _Seen(), Recorder()
    for _ in range(WARM_UP):
        step()
    with no_garbage_collection():
        for _ in rounds(world, seconds):
            recorder = Recorder(puts_off)
            took_s = time_step(step, world, recorder)
            seen.steps_s.append(world.all_reduce_max(took_s))
            _note(seen, recorder)
    counts = world.all_gather(dict(recorder.sends), dict[int, int])
    seen.messages = max(
        sum(mine.values()) + sum(its.get(rank, 0) for its in counts)
        for rank, mine in enumerate(counts)
    )
    return seen


def _note(seen: _Seen, recorder: Recorder) -> None:
    seen.per_step = {}
    for name, begun, ended in recorder.spans:
        if name is not None:
            seen.actions[name].append(max(LEAST_S, ended - begun))
            seen.per_step[name] = seen.per_step.get(name, 0) + 1


def _of_all(seen: _Seen, world: Communicator) -> _Seen:
    """Return the actions of all ranks together."""
    every = world.all_gather(
        (dict(seen.actions), seen.per_step), tuple[dict[str, list[float]], dict[str, int]]
    )
    actions: dict[str, list[float]] = defaultdict(list)
    per_step: dict[str, int] = {}
    for its_actions, its_counts in every:
        for name, values in its_actions.items():
            actions[name] += values
        for name, count in its_counts.items():
            per_step[name] = max(count, per_step.get(name, 0))
    return _Seen(seen.steps_s, actions, per_step, seen.messages)


def _entry(case: Case, layers: int, seen: _Seen) -> HostRun:
    return HostRun(
        schedule=case.schedule,
        gradients=case.gradients,
        gpus=case.gpus,
        micro_batches=case.micro_batches,
        layers_per_gpu=layers,
        messages=seen.messages,
        actions=tuple(
            timed(HostAction, samples, kind=name, per_step=seen.per_step[name])
            for name, samples in seen.actions.items()
        ),
        step_times_s=tuple(seen.steps_s),
        kind=case.kind,
    )
