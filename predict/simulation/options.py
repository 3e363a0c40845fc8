"""Options of `python -m predict`."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import isfinite

from predict.simulation.costs import Costs, Ending, Link, equal_stages
from predict.simulation.large import LARGE
from study.command_line.parser import OneLineParser
from study.errors import ConfigError
from study.schedules import SCHEDULES

PROGRAM = "python -m predict"
MOST = {"--stages": 100_000, "--micro-batches": 100_000, "--chunks": 1000}
MOST_TOGETHER = 100_000_000
EXAMPLE = "write e.g. --stages 1024 --micro-batches 4096"
_TIMES = {
    "forward": (1.0, "forward of a stage and a micro-batch"),
    "input-gradient": (1.0, "gradient of its input"),
    "weight-gradient": (1.0, "gradient of its weights; a backward at once is both"),
    "transfer": (0.0, "message between two GPUs"),
    "optimizer": (0.0, "optimizer, at the end of a step"),
}


@dataclass(frozen=True)
class Asked:
    """A pipeline of equal stages.

    Attributes:
        schedules: to simulate.
        by_name: whether all of them must be possible.
        stages: of the model.
        micro_batches: of a step.
        chunks: stages of each GPU where a schedule has several.
        seconds: by the names of the options.
    """

    schedules: tuple[str, ...]
    by_name: bool
    stages: int
    micro_batches: int
    chunks: int
    seconds: dict[str, float]

    def chunks_of(self, schedule: str) -> int:
        """Return the stages of each GPU."""
        return self.chunks if SCHEDULES[schedule].is_chunked else 1

    def gpus_of(self, schedule: str) -> int:
        """Return the GPUs that the stages need."""
        return self.stages // self.chunks_of(schedule)

    def costs_of(self, schedule: str) -> Costs:
        """Return the seconds of all stages."""
        s = self.seconds
        costs = equal_stages(self.stages, s["forward"], s["input-gradient"], s["weight-gradient"])
        endings = [Ending(optimizer_s=s["optimizer"])] * self.gpus_of(schedule)
        return replace(costs, link=Link(s["transfer"]), endings=endings)


def parse(arguments: Sequence[str] | None = None) -> Asked:
    """Return what a command line asks for.

    Raises:
        ConfigError: an option is missing or impossible.
    """
    return _asked(_parser().parse_args(arguments))


def _parser() -> OneLineParser:
    parser = OneLineParser(
        prog=PROGRAM,
        usage=f"{PROGRAM} --stages N --micro-batches N [options]",
        description="Simulate one training step of a pipeline of equal stages. Nothing is run or "
        "measured, and no GPU is needed.",
    )
    parser.add_argument("--stages", metavar="N", help="stages of the model")
    parser.add_argument("--micro-batches", metavar="N", help="micro-batches of a step")
    parser.add_argument(
        "--schedule", action="append", metavar="NAME", help=f"one of {', '.join(LARGE)}; may be "
        "repeated; default: all that take these numbers",
    )  # fmt: skip
    parser.add_argument(
        "--chunks", metavar="N", default="2", help="stages of each GPU where a schedule has several"
    )
    for name, (default, meaning) in _TIMES.items():
        help_text = f"milliseconds of the {meaning}; default {default:g}"
        parser.add_argument(f"--{name}-ms", metavar="MS", default=str(default), help=help_text)
    return parser


def _asked(options: argparse.Namespace) -> Asked:
    schedules = tuple(dict.fromkeys(options.schedule or LARGE))
    for name in schedules:
        if name not in LARGE:
            raise ConfigError("--schedule", f"{name} is unknown here; use {', '.join(LARGE)}")
    seconds = {
        name: _milliseconds(name, getattr(options, f"{name.replace('-', '_')}_ms")) / 1000
        for name in _TIMES
    }
    asked = Asked(
        schedules,
        bool(options.schedule),
        _count("--stages", options.stages),
        _count("--micro-batches", options.micro_batches),
        _count("--chunks", options.chunks),
        seconds,
    )
    if asked.stages * asked.micro_batches > MOST_TOGETHER:
        raise ConfigError(
            "--stages",
            f"{asked.stages} with --micro-batches {asked.micro_batches} is more than "
            f"{MOST_TOGETHER:,} forwards; use fewer of either",
        )
    return asked


def _count(option: str, text: str | None) -> int:
    if text is None:
        raise ConfigError(option, f"is missing; {EXAMPLE}")
    if not (text.isascii() and text.isdigit() and int(text[:9]) > 0 and len(text) < 10):
        raise ConfigError(option, f"{text} is not a positive whole number; {EXAMPLE}")
    if int(text) > MOST[option]:
        raise ConfigError(option, f"{text} is more than {MOST[option]:,}; use fewer")
    return int(text)


def _milliseconds(name: str, text: str) -> float:
    option = f"--{name}-ms"
    try:
        value = float(text)
    except ValueError:
        raise ConfigError(option, f"{text} is no number; write e.g. {option} 1.5") from None
    least = 0.0 if name in ("transfer", "optimizer") else 1e-9
    if not isfinite(value) or not least <= value <= 1e9:
        kind = "0 or more" if least == 0 else "positive"
        raise ConfigError(option, f"{text} is not {kind} and at most 1e9; write e.g. {option} 1.5")
    return value
