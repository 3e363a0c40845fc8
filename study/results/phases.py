"""The phases of a job, from the start of its first process, and which of them are set-up."""

from typing import Literal, get_args

from study.results.record import Record, Seconds

PhaseName = Literal[
    "imports",
    "meeting",
    "checks",
    "profile",
    "products",
    "drawing",
    "first step",
    "warm-up",
    "timing",
    "instruments",
]
PHASE_NAMES: tuple[PhaseName, ...] = get_args(PhaseName)
MEASURING = ("timing", "instruments")  # all others are set-up


class PhaseTime(Record, frozen=True):
    """The seconds of a phase, as the first process saw them; GPUs are held in all of them."""

    name: PhaseName
    seconds: Seconds
