"""Options of a command line for the keys of a case: names, help with defaults, and errors."""

import argparse
import re
from typing import Any

from study.case import DEFAULTS, KEYS, Case, allowed, parse_value, value_type
from study.errors import ConfigError
from study.schedules import SCHEDULES, has_key, schedules_with
from study.text import shortened
from study.validation import make_case

NEEDED = tuple(key for key, default in DEFAULTS.items() if default is None)
MEANINGS = {
    "depth": "linear layers of the model",
    "gpus": "GPUs that the layers are spread over; emulated if there are fewer",
    "dim": "features of every layer's input and output",
    "batch_size": "rows of the batch",
    "split": "which GPU gets which layers: even, runs of equal length; half, exactly 2 GPUs",
    "schedule": "who works when: naive, one GPU at a time in one process; the others have a "
    "process for each GPU, and are pipelines, or split every layer (tensor)",
    "micro_batches": "equal parts of the batch that go through a pipeline one after another",
    "chunks_per_gpu": "runs of layers on each GPU",
    "balance": "stages with equal numbers of layers, or of equal times, which are measured first",
    "dtype": "type of the numbers; tf32 needs a GPU and computes products of float32 with TF32",
    "optimizer": "optimizer of the step",
    "execution": "launch kernel by kernel, or the whole step as one CUDA graph, on one GPU",
    "seed": "seed of the weights and the batch",
    "warmup_steps": "steps before the timed ones, at most; they end once they are steady",
    "steps": "timed steps, at most",
    "time_limit_s": "seconds of timed steps, at most; warm-up gets half of it",
    "ci_half_width": "half of the 95 % interval of the median step time, as a share of it, at "
    "which the timed steps end, after 20 s at the earliest; 0: never",
    "repeat": "number of this job among those that measure one case",
}


class OptionError(ConfigError):
    """A problem in which options have their own names."""

    def __init__(self, problem: str) -> None:
        Exception.__init__(self, shortened(problem))


def flag(key: str) -> str:
    """Return the option of a key."""
    return f"--{key.replace('_', '-')}"


def add_case_options(parser: argparse.ArgumentParser) -> None:
    """Add an option for every key of a case, with meaning, values and default."""
    needed = parser.add_argument_group("needed")
    others = parser.add_argument_group("the case")
    for key in KEYS:
        group = needed if key in NEEDED else others
        group.add_argument(flag(key), dest=key, metavar=_metavar(key), help=_help(key))


def parse_case(arguments: argparse.Namespace, program: str) -> Case:
    """Return the case of the options that were given.

    Raises:
        ConfigError: one is missing or no value of its key, or they do not go together.
    """
    given = {key: text for key in KEYS if (text := getattr(arguments, key)) is not None}
    missing = [flag(key) for key in NEEDED if key not in given]
    if missing:
        names, verb = " and ".join(missing), "is" if len(missing) == 1 else "are"
        raise OptionError(f"{names} {verb} missing; write e.g. {program} --depth 20 --gpus 5")
    try:
        values = {key: parse_value(key, text, program) for key, text in given.items()}
        return make_case(values, program)
    except ConfigError as error:
        raise in_options(error, program) from None


def in_options(error: ConfigError, source: str) -> ConfigError:
    """Return the error with its keys as options: `--gpus 9` for `gpus: 9`."""
    text = str(error).removeprefix(f"{source}: ")
    keys = "|".join(KEYS)
    text = re.sub(rf"\b({keys}): ", lambda found: f"{flag(found[1])} ", text)
    text = re.sub(rf"(?<!-)\b({keys})\b", _plain_word, text)
    return OptionError(text)


def _plain_word(found: re.Match[str]) -> str:
    """Return a key that is no word as its option; others, such as depth, are words."""
    return flag(found[1]) if "_" in found[1] else found[1]


def _metavar(key: str) -> str:
    kinds: dict[Any, str] = {int: "N", float: "X"}
    if key == "schedule":
        return "NAME"
    return kinds.get(value_type(key), allowed(key).removeprefix("one of: ").replace(", ", "|"))


def _help(key: str) -> str:
    values = allowed(key).removeprefix("a whole number from ")
    parts = [MEANINGS[key], *([values] if value_type(key) is int or key == "schedule" else [])]
    if DEFAULTS[key] is not None:
        parts.append(f"default {DEFAULTS[key]}")
    if not all(has_key(key, name) for name in SCHEDULES):
        having = schedules_with(key)
        pipelines = [name for name, schedule in SCHEDULES.items() if schedule.is_pipeline]
        parts.append(f"for {'pipelines' if having == pipelines else ', '.join(having)} only")
    return "; ".join(parts).replace("%", "%%")
