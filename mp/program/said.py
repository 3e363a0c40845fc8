"""The words of a program about its steps: JSON in a file, or as the last line that it prints.

Its words are data: they are decoded with limits, and none is run, followed or believed where it
contradicts the clock.
"""

from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from mp.program.output import MOST_SAID
from study.errors import CaseError
from study.results.program import LONGEST_ITEM, MOST_STEPS, ToldBy
from study.results.validation import LEAST_STEP_S, OF_CLOCKS
from study.storage.files import NOT_THE_DATA, read_file
from study.text import one_line

MOST_BYTES = 32 * 1024 * 1024  # of the file
EXAMPLE = '{"step_times_s": [0.101, 0.1]}'


class NonsenseSaid(CaseError):
    """A program said what cannot be."""


class Said(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The words of a program about its steps."""

    step_times_s: Annotated[
        list[Annotated[float, Meta(ge=LEAST_STEP_S, le=1e9)]],
        Meta(min_length=1, max_length=MOST_STEPS),
    ]
    items_per_step: Annotated[float, Meta(gt=0, le=1e30)] | None = None
    item: Annotated[str, Meta(max_length=LONGEST_ITEM)] | None = None
    first_loss: float | None = None


def read_said(file: Path, last_line: bytes, wall_s: float) -> tuple[ToldBy, Said | None]:
    """Return where a program said its steps, `file` or `last_line`, and what; None for nothing.

    Args:
        file: the file in which it may say them; it counts before the last line.
        last_line: of its stdout.
        wall_s: how long the program ran.

    Raises:
        NonsenseSaid: it is too much, no JSON, not of these types, or contradicts the clock.
    """
    if (data := _content_of(file)).strip():
        return "file", _decode(data, "the file of MPBENCH_STEPS", wall_s)
    if not (last_line.lstrip().startswith(b"{") and b'"step_times_s"' in last_line):
        return "wall_time", None
    if len(last_line) > MOST_SAID:
        raise NonsenseSaid(
            f"the program's last line has more than {MOST_SAID} bytes; write the file of "
            "MPBENCH_STEPS instead"
        )
    return "last_line", _decode(last_line, "the program's last line", wall_s)


def _content_of(file: Path) -> bytes:
    try:
        return read_file(file, most=MOST_BYTES)
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise NonsenseSaid(f"the file of MPBENCH_STEPS {_reason(error)}") from None


def _reason(error: OSError) -> str:
    words = error.strerror or "cannot be read"
    return words if words.startswith(("is ", "has ")) else f"cannot be read: {words}"


def _decode(data: bytes, where: str, wall_s: float) -> Said:
    try:
        said = msgspec.json.decode(data, type=Said)
    except NOT_THE_DATA as error:
        problem = one_line(str(error)).replace("`", "")
        hint = "; NaN and Infinity are no JSON" if b"NaN" in data or b"Infinity" in data else ""
        raise NonsenseSaid(f"{where}: {problem}{hint}; write e.g. {EXAMPLE}") from None
    steps_s = sum(said.step_times_s)
    if steps_s > wall_s * (1 + OF_CLOCKS):
        raise NonsenseSaid(
            f"{where}: the steps take {steps_s:.4g} s in all, and the whole program took "
            f"{wall_s:.4g} s; step_times_s are seconds"
        )
    if said.item is not None:
        return msgspec.structs.replace(said, item=one_line(said.item) or None)
    return said
