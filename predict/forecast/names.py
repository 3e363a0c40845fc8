"""Names of cases to choose from: what they run on, and the settings in which they differ."""

from collections.abc import Callable, Sequence

import msgspec

from predict.forecast.predict import NEUTRAL
from study.case import ARGUMENT, NEWER, Case
from study.schedules import SCHEDULES, has_key
from study.text import count_of
from study.values.description import cut, model_words
from study.values.keys import DEFAULTS, KEYS
from study.values.placeholders import as_text

# What `how_words` says, and the keys that it says it of.
_HOW = ("schedule", "micro_batches", "gradients", "data_parallel", "execution", "gpus")
_MODEL = ("kind", "depth", "factory", "command")  # what `model_words` says
_NO_DEFAULT = object()
_TOLD = (*_MODEL, *NEUTRAL, "args")
# Keys that change how a step runs, and not what it computes.
_SAME_WORK = (*_HOW, "chunks_per_gpu", "balance", "split", "recompute")


def how_words(case: Case) -> str:
    """Return the schedule and what it runs on, e.g. `ZB1P with 10 micro-batches on 2 GPUs`."""
    parts = [f"with {case.micro_batches} micro-batches"] * has_key("micro_batches", case.schedule)
    parts += ["and fused gradients"] * (case.gradients == "fused")
    parts += [f"in {case.data_parallel} replicas"] * (case.data_parallel > 1)
    parts += ["as a CUDA graph"] * (case.execution == "cuda_graph")
    return " ".join([SCHEDULES[case.schedule].label, *parts, "on", count_of(case.gpus, "GPU")])


def work_of(case: Case) -> Case:
    """Return the case without how it runs: equal for cases whose steps compute the same."""
    usual = {key: DEFAULTS[key] for key in (*_SAME_WORK, *NEUTRAL)} | {"gpus": 1}
    return msgspec.structs.replace(case, **usual)


def work_settings(cases: Sequence[Case]) -> dict[Case, tuple[str, ...]]:
    """Return of each case the settings of what a step computes, where the cases differ in them.

    Args:
        cases: configurations.
    """
    return _settings(cases, lambda key: key not in _SAME_WORK)


def how_settings(cases: Sequence[Case]) -> dict[Case, tuple[str, ...]]:
    """Return of each case the settings of how a step runs that `how_words` leaves out.

    Args:
        cases: configurations; the settings in which they differ are returned.
    """
    return _settings(cases, lambda key: key in _SAME_WORK and key not in _HOW)


def _settings(
    cases: Sequence[Case], is_asked: Callable[[str], bool]
) -> dict[Case, tuple[str, ...]]:
    arguments = sorted({f"{ARGUMENT}{name}" for case in cases for name in case.arguments})
    keys = [key for key in (*KEYS, *arguments) if key not in _TOLD and is_asked(key)]
    told = [key for key in keys if _differs(cases, key)]
    models = {case: model_words(case) for case in cases}
    has_models = is_asked("kind") and len(set(models.values())) > 1
    return {
        case: (
            *([models[case]] if has_models else []),
            *(_setting(case, key) for key in told if _is_told(case, key)),
        )
        for case in cases
    }


def _differs(cases: Sequence[Case], key: str) -> bool:
    """Return whether cases have several values: 1, 1.0 and true are three, and no argument one."""
    having = [case for case in cases if case.has_key("args" if _is_argument(key) else key)]
    return len({(type(case.value(key)), case.value(key)) for case in having}) > 1


def _is_told(case: Case, key: str) -> bool:
    if _is_argument(key):
        return case.has_key("args")
    return case.has_key(key) and case.value(key) != NEWER.get(key, _NO_DEFAULT)


def _setting(case: Case, key: str) -> str:
    if _is_argument(key) and not case.has_key(key):
        return f"{key} not given"
    return f"{key} {cut(as_text(case.value(key)))}"


def _is_argument(key: str) -> bool:
    return key.startswith(ARGUMENT)
