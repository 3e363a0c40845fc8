"""Run a user's code so that it harms nothing else, and that a failure is one clear line."""

import io
import random
import signal
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import TextIO

import torch

from mp.families.global_state import kept_state
from study.errors import CaseError
from study.text import shortened

OURS = str(Path(__file__).parent)
MOST_PRINTED = 64 * 1024  # characters of one call
MOST_NOTES = 20


class Limited(io.TextIOBase):
    """A stream that passes on the first characters and then says that it leaves out the rest.

    Args:
        stream: where to.
        who: who prints, for that sentence.
    """

    def __init__(self, stream: TextIO, who: str) -> None:
        self.stream, self.who, self.left = stream, who, MOST_PRINTED

    def write(self, text: str) -> int:
        """Pass on what fits."""
        if self.left > 0:
            self.stream.write(text[: self.left])
            self.left -= len(text)
            if self.left <= 0:
                self.stream.write(
                    f"\nnote: {self.who} prints more than {MOST_PRINTED} characters; "
                )
                self.stream.write("the rest is left out\n")
            self.stream.flush()
        return len(text)


@dataclass
class Doing:
    """A call into a user's code.

    Attributes:
        name: the file or function.
        call: which call, or which part of it; empty for the function itself.
    """

    name: str
    call: str

    def __str__(self) -> str:
        return f"{self.name}: {self.call}" if self.call else self.name


class UserCode:
    """A user's file: runs calls into it, and collects what they changed.

    Args:
        name: the file or function, for messages.

    Attributes:
        notes: sentences about changes of global state that were undone.
        layer_names: of the layers drawn so far, by number.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.notes: list[str] = []
        self.layer_names: dict[int, str] = {}

    def error(self, problem: str) -> CaseError:
        """Return a refusal in one line."""
        return CaseError(shortened(f"{self.name} {problem}"))

    def label(self, number: int) -> str:
        """Return a layer's number, and its name where it is known."""
        name = self.layer_names.get(number)
        return f"layer {number} ({name})" if name else f"layer {number}"

    @contextmanager
    def running(self, doing: str = "", seed: int | None = None) -> Iterator[Doing]:
        """Run what is within as the user's code.

        What it prints goes to stderr; changes of global state are undone and noted. torch's default
        device is the CPU.

        Args:
            doing: which call it is, e.g. `batch(4)`, for messages; what is within may change it.
            seed: seeds the generators of torch, Python and numpy before.

        Raises:
            CaseError: it raised anything but a lack of memory or Ctrl-C.
        """
        now = Doing(self.name, doing)
        # Within it torch would hide a change of the default device, so only where it is needed.
        is_cpu = torch.get_default_device().type == "cpu"
        on_cpu = nullcontext() if is_cpu else torch.device("cpu")
        with kept_state() as changes, _pressed() as pressed:
            try:
                with redirect_stdout(Limited(sys.stderr, str(now))), on_cpu:
                    if seed is not None:
                        seed_all(seed)
                    yield now
            except (CaseError, torch.OutOfMemoryError, MemoryError):
                raise
            except BaseException as error:
                if pressed:
                    raise
                raise CaseError(shortened(_explain(str(now), error))) from error
        if changes.refused:
            raise CaseError(
                shortened(
                    f"{now} changes {', '.join(changes.refused)}; leave that out: layers are made "
                    "on the CPU and moved"
                )
            )
        self._note(str(now), changes.measured, changes.others)

    def _note(self, who: str, measured: tuple[str, ...], others: tuple[str, ...]) -> None:
        if measured or others:
            words = f"{who} changes {', '.join((*measured, *others))}; this was undone"
            if words not in self.notes and len(self.notes) < MOST_NOTES:
                print(f"note: {shortened(words)}", file=sys.stderr)
                self.notes.append(shortened(words))


@contextmanager
def _pressed() -> Iterator[list[int]]:
    """Collect each Ctrl-C in the list that is yielded; user code may raise its exception, too."""
    pressed: list[int] = []
    before = signal.getsignal(signal.SIGINT)

    def note(number: int, frame: FrameType | None) -> None:
        pressed.append(number)
        signal.default_int_handler(number, frame)

    if before is not signal.default_int_handler:
        yield pressed
        return
    signal.signal(signal.SIGINT, note)
    try:
        yield pressed
    finally:
        signal.signal(signal.SIGINT, before)


def _explain(who: str, error: BaseException) -> str:
    """Print the traceback below our own lines; return the error's last line."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if OURS not in f.filename]
    lines = traceback.format_list(frames)
    sys.stderr.write("".join(lines[-20:]))
    if isinstance(error, SystemExit):
        return f"{who} ends the program with {error!r}; return the layers instead"
    last = traceback.format_exception_only(error)[-1]
    return f"{who} raises {last}"


def seed_all(seed: int) -> None:
    """Seed the generators that a user's code may draw from."""
    torch.manual_seed(seed)
    random.seed(seed)
    if (numpy := sys.modules.get("numpy")) is not None:
        numpy.random.seed(seed % 2**32)
