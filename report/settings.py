"""The setting of a table: the keys that are no axis of it, and what they are called."""

from collections.abc import Sequence
from typing import Any

from report.data.labels import keys_of
from report.data.selection import GridTable
from report.wording.models import is_of_model, model_words
from report.wording.names import key_name, value_text
from study.case import NEWER, Case
from study.models import OF_TRAINING

SETTING = ("depth", "dtype", "dim", "batch_size", "split", "optimizer", "schedule", "execution",
           "recompute", "seed", "micro_batches", "chunks_per_gpu", "balance",
           "gradients", "data_parallel")  # fmt: skip
MODEL = ("depth", "dim", "batch_size", "dtype")
UNSAID = NEWER  # values that are told only where most tables have another
LIMITS = {
    "time_limit_s": "at most {} s of timed steps",
    "steps": "at most {} timed steps",
    "warmup_steps": "at most {} warm-up steps",
    "ci_half_width": "steps until the interval is within ±{} of the median",
}


def key_words(key: str, value: Any) -> str:
    """Return a key with its value: `balance time`; a limit in a phrase."""
    shown = f"{value:g}" if isinstance(value, float) else value
    if key in LIMITS:
        return LIMITS[key].format(shown)
    return f"{key_name(key)} {shown if isinstance(value, float) else value_text(key, value)}"


def setting_words(setting: dict[str, Any]) -> str:
    """Return the values in one line: a model of another kind than `linear` first, by its name."""
    if "kind" not in setting:
        return ", ".join(key_words(key, value) for key, value in setting.items())
    others = [key_words(key, value) for key, value in setting.items() if not is_of_model(key)]
    return ", ".join([model_words(setting), *others])


def kind_of(grid_table: GridTable) -> str:
    """Return the kind of model of a table; `linear` where it has no case."""
    return next((row.case.kind for row in grid_table.rows), "linear")


def setting_of(grid_table: GridTable) -> dict[str, Any]:
    """Return the keys that no two rows of the table differ in and that a case of it has.

    Limits of the measurement are of interest only where they were changed.
    """
    found, cases = {}, [row.case for row in grid_table.rows]
    for key in (*_keys(cases), *(key for key in LIMITS if key in grid_table.changed)):
        having = [case for case in cases if case.has_key(key) and not case.is_calibration]
        if having and key not in grid_table.varied:
            found[key] = having[0].value(key)
    return found


def _keys(cases: Sequence[Case]) -> list[str]:
    """Return the keys of a setting: those of the kind of model, and those of its training."""
    if not cases or cases[0].kind == "linear":
        return list(SETTING)
    own = [key for key in keys_of(cases) if key not in OF_TRAINING and is_of_model(key)]
    return list(dict.fromkeys(["kind", "depth", *own, "batch_size", *SETTING]))
