"""The cases that calibrate a model and a way to train it, from the cases to be predicted."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

from msgspec.structs import replace

from study.case import Case
from study.errors import ConfigError
from study.models import KINDS
from study.schedules import IN_TWO_PARTS, SCHEDULES
from study.stages import chunks_of
from study.values.calibrates import GRADIENTS, MOST, Calibrates
from study.values.keys import DEFAULTS

TIME_LIMIT_S = 35.0  # of measuring, in each job: with the start of both less than 0.05 GPU-hours
PAIR = 2
# What a calibration does not depend on, or has several values of.
OF_ONE_CASE = ("gpus", "batch_size", "split", "schedule", "micro_batches", "chunks_per_gpu",
               "balance", "gradients", "data_parallel", "execution", "seed", "warmup_steps",
               "steps", "time_limit_s", "ci_half_width", "repeat")  # fmt: skip


def calibration_cases(
    cases: Sequence[Case], nodes_of: Callable[[Case], int], source: object, time_limit_s: float
) -> list[Case]:
    """Return a case for one GPU and one for a pair, for each model and way to train it.

    Where cases run on several nodes there is a pair on two nodes, too.

    Args:
        cases: to be predicted.
        nodes_of: on how many nodes a case runs.
        source: the grid, for errors.
        time_limit_s: of measuring.

    Raises:
        ConfigError: these cases cannot be calibrated.
    """
    alike: defaultdict[Case, list[Case]] = defaultdict(list)
    for case in cases:
        if case.kind == "program":
            raise ConfigError("--for", f"{source} runs a program, which has no layers to calibrate")
        alike[_model_of(case)].append(case)
    return [
        made for its in alike.values() for made in _cases_of(its, nodes_of, source, time_limit_s)
    ]


def _model_of(case: Case) -> Case:
    """Return what cases that one calibration predicts have in common."""
    defaults: dict[str, Any] = {key: DEFAULTS[key] for key in OF_ONE_CASE}
    depth = 1 if KINDS[case.kind].alike else case.depth
    return replace(case, **defaults | {"gpus": 1, "depth": depth})


def _cases_of(
    cases: Sequence[Case], nodes_of: Callable[[Case], int], source: object, time_limit_s: float
) -> list[Case]:
    wanted = _wanted(cases, source)
    one = replace(
        _model_of(cases[0]),
        depth=max(case.depth for case in cases),
        batch_size=wanted.rows[-1],
        time_limit_s=time_limit_s,
        calibrates=wanted.text,
    )
    pair = replace(one, gpus=PAIR)
    if max(map(nodes_of, cases)) == 1:
        return [one, pair]
    over_nodes = Calibrates(**vars(wanted) | {"nodes": PAIR})
    return [one, pair, replace(pair, calibrates=over_nodes.text)]


def _wanted(cases: Sequence[Case], source: object) -> Calibrates:
    rows = sorted({*map(_rows_of, cases)})
    if len(rows) > MOST:
        raise ConfigError(
            "--for",
            f"{source} has micro-batches of {len(rows)} different sizes, and a calibration takes "
            f"{MOST}; use a smaller grid",
        )
    gradients, schedules = (
        {getattr(case, key) for case in cases} for key in ("gradients", "schedule")
    )
    layers = sorted({count for case in cases for count in _layers_per_gpu(case)})
    return Calibrates(
        rows=tuple(rows),
        gradients=tuple(name for name in GRADIENTS if name in gradients),
        schedules=tuple(name for name in SCHEDULES if name in schedules),
        layers=tuple(dict.fromkeys((layers[0], layers[-1]))),
        shares=tuple(sorted({c.gpus for c in cases if _is_split(c)})),
        **_of_some(cases, rows),
    )


def _of_some(cases: Sequence[Case], rows: list[int]) -> dict[str, Any]:
    """Return the rows and schedules that only some measurements are asked for with.

    Nothing where all are: so a calibration of a grid whose cases are alike has a short name.

    Args:
        cases: to be predicted.
        rows: all of theirs, sorted.
    """
    asked = {way: [case for case in cases if case.gradients == way] for way in GRADIENTS}
    asked["two_part"] = [case for case in cases if case.schedule in IN_TWO_PARTS]
    asked["share"] = [case for case in cases if _is_split(case)]
    found: dict[str, Any] = {}
    for what, its in asked.items():
        usual = rows[-1:] if what == "share" else rows
        if its and (mine := sorted({*map(_rows_of, its)})) != usual:
            found[f"{what}_rows"] = tuple(mine)
    every = {case.schedule for case in cases}
    for way in GRADIENTS:
        mine_of = {case.schedule for case in asked[way]}
        if mine_of and mine_of != every:
            found[f"{way}_schedules"] = tuple(name for name in SCHEDULES if name in mine_of)
    return found


def _rows_of(case: Case) -> int:
    return case.batch_size // case.parts


def _is_split(case: Case) -> bool:
    return SCHEDULES[case.schedule].family == "tensor" and case.gpus > 1


def _layers_per_gpu(case: Case) -> tuple[int, int]:
    """Return the fewest and the most layers that a GPU has, if stages are of equal length."""
    if SCHEDULES[case.schedule].is_on_all_gpus:
        return case.layers, case.layers
    stages = case.pipeline_gpus * chunks_of(case)
    few = case.layers // stages * chunks_of(case)
    return max(1, few), min(case.layers, -(-case.layers // stages) * chunks_of(case))
