"""Options of a command line for the keys of a case: names, help with defaults, and errors."""

import argparse
import re
from typing import Any

from study.case import ARGUMENT, Case
from study.errors import ConfigError
from study.models import KINDS, kinds_with
from study.quoting import quoted
from study.schedules import SCHEDULES, has_key, schedules_with
from study.text import shortened
from study.validation import make_case
from study.values.completion import PRESET
from study.values.keys import DEFAULTS, KEYS, allowed, value_type
from study.values.parsing import parse_value

NEEDED = ("depth", "gpus")
MEANINGS = {
    "depth": "layers of the model; blocks of gpt and conv, which have a layer more at either end",
    "gpus": "GPUs that the layers are spread over; emulated if there are fewer",
    "dim": "features of every layer's input and output",
    "batch_size": "rows of the batch",
    "split": "which GPU gets which layers: even, runs of equal length; half, exactly 2 GPUs",
    "schedule": "who works when: naive, one GPU at a time in one process; the others have a "
    "process for each GPU, and are pipelines, or split every layer (tensor)",
    "micro_batches": "equal parts of the batch that go through a pipeline one after another",
    "chunks_per_gpu": "runs of layers on each GPU",
    "balance": "what the stages get equal amounts of: layers, parameters, flops, or time, which is "
    "measured first; or the number of layers of each stage, e.g. 7,7,6,4",
    "gradients": "weight gradients of linear layers: separate, by autograd, which adds them up "
    "afterwards; fused, added up inside of their matrix product",
    "data_parallel": "replicas of a pipeline, each on gpus / data_parallel GPUs with its share of "
    "the batch; their gradients are averaged once a step",
    "dtype": "type of the numbers; tf32 needs a GPU and computes products of float32 with TF32",
    "optimizer": "optimizer of the step",
    "execution": "launch kernel by kernel, or the whole step of each process as one CUDA graph",
    "recompute": "keep the input of each layer alone, and run the layer again in backward "
    "(activation checkpointing)",
    "seed": "seed of the weights and the batch",
    "warmup_steps": "steps before the timed ones, at most; they end once they are steady",
    "steps": "timed steps, at most",
    "time_limit_s": "seconds of timed steps, at most; warm-up gets half of it",
    "ci_half_width": "half of the 95 % interval of the median step time, as a share of it, at "
    "which the timed steps end, after 20 s at the earliest; 0: never",
    "repeat": "number of this job among those that measure one case",
    "kind": "what is trained; factory where a factory is given",
    "heads": "attention heads of every block",
    "seq_len": "tokens of every row",
    "vocab": "tokens that there are",
    "tied": "whether the embedding and the last layer share a weight",
    "width": "channels of the first convolution",
    "image": "height and width of every image",
    "classes": "classes that there are",
    "norm": "GroupNorm or BatchNorm",
    "factory": "a file and the function in it that returns the layers",
}
TRAINED = tuple(kind for kind in KINDS if kind != "program")
_METAVARS = {
    "schedule": "NAME",
    "kind": "|".join(TRAINED),
    "balance": "RULE",
    "tied": "true|false",
    "factory": "FILE:FUNCTION",
}
_DEFAULT_WORDS = {
    "gradients": "separate; fused for zero_bubble, zbv and every pipeline as a CUDA graph, of a "
    "linear stack or a GPT",
}
NOT_OPTIONS = ("sha256", "command", "args", "calibrates")


OPTIONS = tuple(key for key in KEYS if key not in NOT_OPTIONS)


class OptionError(ConfigError):
    """A problem in which options have their own names."""

    def __init__(self, problem: str) -> None:
        Exception.__init__(self, shortened(problem))


def flag(key: str) -> str:
    """Return the option of a key."""
    return "--arg" if key == "args" else f"--{key.replace('_', '-')}"


def add_case_options(parser: argparse.ArgumentParser) -> None:
    """Add an option for every key of a case, with meaning, values and default."""
    needed = parser.add_argument_group("needed")
    others = parser.add_argument_group("the case")
    for key in OPTIONS:
        group = needed if key in NEEDED else others
        group.add_argument(flag(key), dest=key, metavar=_metavar(key), help=_help(key))
    presets = {name: entry.presets for name, entry in KINDS.items() if entry.presets}
    named = "; ".join(f"of {kind} {', '.join(names)}" for kind, names in presets.items())
    others.add_argument(
        "--preset", metavar="NAME", help=f"sizes of a published model, with --kind: {named}"
    )
    others.add_argument(
        "--arg", action="append", default=[], metavar="NAME=VALUE",
        help="an argument of the factory; may be repeated",
    )  # fmt: skip


def parse_case(arguments: argparse.Namespace, program: str) -> Case:
    """Return the case of the options that were given.

    Raises:
        ConfigError: one is missing or no value of its key, or they do not go together.
    """
    given = {key: text for key in OPTIONS if (text := getattr(arguments, key)) is not None}
    given |= _parse_arguments(arguments.arg)
    if given.get("kind") == "program":
        raise OptionError(
            "--kind program runs no model; write it into a grid file, under program, for submit.py"
        )
    needed = ("gpus",) if arguments.preset else NEEDED
    missing = [flag(key) for key in needed if key not in given]
    if missing:
        names, verb = " and ".join(missing), "is" if len(missing) == 1 else "are"
        raise OptionError(f"{names} {verb} missing; write e.g. {program} --depth 20 --gpus 5")
    try:
        values = {key: parse_value(key, text, program) for key, text in given.items()}
        if arguments.preset is not None:
            values[PRESET] = arguments.preset
        return make_case(values, program)
    except ConfigError as error:
        raise in_options(error, program) from None


def _parse_arguments(texts: list[str]) -> dict[str, str]:
    """Return the values of all `--arg` by `args.<name>`."""
    found: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise OptionError(f"--arg {quoted(text)} is not NAME=VALUE; write e.g. --arg width=64")
        if f"{ARGUMENT}{name}" in found:
            raise OptionError(f"--arg {name} is given twice; give it once")
        found[f"{ARGUMENT}{name}"] = value
    return found


def in_options(error: ConfigError, source: str) -> ConfigError:
    """Return the error with its keys as options: `--gpus 9` for `gpus: 9`."""
    text = str(error).removeprefix(f"{source}: ")
    keys = "|".join((*KEYS, PRESET))
    text = re.sub(rf"\b{re.escape(ARGUMENT)}(\w+): ", r"--arg \1=", text)
    text = re.sub(rf"\b({keys}): ", lambda found: f"{flag(found[1])} ", text)
    text = re.sub(rf"(?<!-)\b({keys})\b", _plain_word, text)
    return OptionError(text)


def _plain_word(found: re.Match[str]) -> str:
    """Return a key that is no word as its option; others, such as depth, are words."""
    return flag(found[1]) if "_" in found[1] else found[1]


def _metavar(key: str) -> str:
    kinds: dict[Any, str] = {int: "N", float: "X"}
    if key in _METAVARS:
        return _METAVARS[key]
    return kinds.get(value_type(key), allowed(key).removeprefix("one of: ").replace(", ", "|"))


def _help(key: str) -> str:
    values = allowed(key).removeprefix("a whole number from ")
    parts = [MEANINGS[key], *([values] if value_type(key) is int or key == "schedule" else [])]
    if DEFAULTS[key] is not None:
        parts.append(f"default {_DEFAULT_WORDS.get(key, DEFAULTS[key])}")
    if not all(has_key(key, name) for name in SCHEDULES):
        having = schedules_with(key)
        pipelines = [name for name, schedule in SCHEDULES.items() if schedule.is_pipeline]
        parts.append(f"for {'pipelines' if having == pipelines else ', '.join(having)} only")
    if len(kinds_with(key)) < len(TRAINED):
        parts.append(f"for kind {', '.join(kind for kind in TRAINED if kind in kinds_with(key))}")
    return "; ".join(parts).replace("%", "%%")
