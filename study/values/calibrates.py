"""The key `calibrates`: all that a calibration measures, so that no prediction extrapolates.

rows=512,1024 gradients=separate schedules=1f1b,zbv layers=5,10 shares=2 two_part_rows=512 nodes=2
"""

import re
from dataclasses import dataclass, fields
from typing import Any, get_args

from study.errors import ConfigError
from study.quoting import quoted
from study.schedules import IN_TWO_PARTS, SCHEDULES

GRADIENTS = ("separate", "fused")
MOST = 64  # values of one word
_NUMBER = r"[1-9]\d{0,8}"


@dataclass(frozen=True)
class Calibrates:
    """All that is calibrated. Values are sorted, and none is there twice.

    Attributes:
        rows: of micro-batches, and of batches that are not cut.
        gradients: by whom weight gradients are computed.
        schedules: whose actions and host times are measured.
        layers: on one GPU, for what a step does with all parameters.
        shares: over how many GPUs layers are split, apart from whole ones.
        separate_schedules: those of `schedules` that separate gradients are asked for under; all if
            empty.
        fused_schedules: those that fused gradients are asked for under; all if empty.
        separate_rows: those of `rows` that separate gradients are asked for with; all if empty.
        fused_rows: those that fused gradients are asked for with; all if empty.
        two_part_rows: those that a backward in two parts is asked for with; all if empty.
        share_rows: those that shares of layers are asked for with; the largest alone if empty.
        nodes: on how many nodes its job runs.
    """

    rows: tuple[int, ...]
    gradients: tuple[str, ...]
    schedules: tuple[str, ...]
    layers: tuple[int, ...]
    shares: tuple[int, ...] = ()
    separate_schedules: tuple[str, ...] = ()
    fused_schedules: tuple[str, ...] = ()
    separate_rows: tuple[int, ...] = ()
    fused_rows: tuple[int, ...] = ()
    two_part_rows: tuple[int, ...] = ()
    share_rows: tuple[int, ...] = ()
    nodes: int = 1

    def gradients_with(self, rows: int) -> tuple[str, ...]:
        """Return in which ways weight gradients are computed with so many rows."""
        of_rows = {"separate": self.separate_rows, "fused": self.fused_rows}
        return tuple(way for way in self.gradients if rows in (of_rows[way] or self.rows))

    def gradients_under(self, schedule: str) -> tuple[str, ...]:
        """Return in which ways weight gradients are computed under one of the schedules."""
        of_schedule = {"separate": self.separate_schedules, "fused": self.fused_schedules}
        if not SCHEDULES[schedule].is_pipeline:
            return ("separate",)
        every = self.schedules
        return tuple(way for way in self.gradients if schedule in (of_schedule[way] or every))

    def is_in_two_parts(self, rows: int, gradients: str) -> bool:
        """Return whether a backward in two parts is asked for, with these rows and gradients."""
        names = [name for name in self.schedules if name in IN_TWO_PARTS]
        has_any = any(gradients in self.gradients_under(name) for name in names)
        return has_any and rows in (self.two_part_rows or self.rows)

    @property
    def rows_of_shares(self) -> tuple[int, ...]:
        """The rows with which shares of layers are measured."""
        return self.share_rows or self.rows[-1:]

    @property
    def text(self) -> str:
        """The value of the key."""
        words = {
            field.name: ",".join(map(str, value))
            for field in fields(self)
            if isinstance(value := getattr(self, field.name), tuple) and value
        }
        if self.nodes > 1:
            words["nodes"] = str(self.nodes)
        return " ".join(f"{name}={value}" for name, value in words.items())


NAMES = tuple(field.name for field in fields(Calibrates))
_OF_SCHEDULES = tuple(name for name in NAMES if name.endswith("schedules"))
NUMBERS = tuple(f.name for f in fields(Calibrates) if int in (f.type, *get_args(f.type)))


def parse_calibrates(text: str, source: object) -> Calibrates:
    """Return the meaning of a value of the key.

    Raises:
        ConfigError: it is none.
    """
    words = [word.partition("=") for word in text.split(" ")]
    values = {name: tuple(value.split(",")) for name, _, value in words}
    problem = _problem(values) or (
        "names a word twice" if len(values) < len(words) else _unsorted(values) or _foreign(values)
    )
    if problem:
        raise ConfigError(
            source, f"calibrates: {quoted(text)} {problem}; submit.py --grid calibration writes it"
        )
    found: dict[str, Any] = {
        name: tuple(map(int, its)) if name in NUMBERS else its for name, its in values.items()
    }
    (nodes,) = found.pop("nodes", (1,))
    return Calibrates(**found, nodes=nodes)


def _problem(values: dict[str, tuple[str, ...]]) -> str | None:
    """Return what is wrong with a word, as the end of a sentence."""
    for name in ("rows", "gradients", "schedules", "layers"):
        if name not in values:
            return f"lacks {name}="
    known = dict.fromkeys(_OF_SCHEDULES, tuple(SCHEDULES)) | {"gradients": GRADIENTS}
    for name, its in values.items():
        if name not in NAMES:
            return f"has {name}=, which is not one of: {', '.join(NAMES)}"
        if len(its) > (1 if name == "nodes" else MOST):
            return f"has {len(its)} values of {name}=, which are too many"
        for one in its:
            if not (one in known[name] if name in known else re.fullmatch(_NUMBER, one)):
                return f"has {name}={one}"
    return None


def _unsorted(values: dict[str, tuple[str, ...]]) -> str | None:
    for name, its in values.items():
        place = (SCHEDULES | dict.fromkeys(GRADIENTS)) if name not in NUMBERS else {}
        order = [list(place).index(one) if place else int(one) for one in its]
        if order != sorted(set(order)):
            return f"has {name}= unsorted, or a value twice"
    return None


def _foreign(values: dict[str, tuple[str, ...]]) -> str | None:
    """Return which value of a word is not among those of all, as the end of a sentence."""
    for name, its in values.items():
        every = name.rpartition("_")[2]
        others = [one for one in its if every != name and one not in values[every]]
        if others:
            return f"has {name}={others[0]}, which is not in {every}="
    return None
