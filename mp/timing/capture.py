"""Captures a step of this process as a CUDA graph, or says in words why it cannot."""

import sys
from collections.abc import Callable
from pathlib import Path
from traceback import FrameSummary, extract_tb

import torch

from mp.timing.timer import no_garbage_collection
from study.errors import CaseError

NOT_OF_USER = (  # torch, Python with what is installed, and ours
    Path(torch.__file__).parent,
    Path(sys.prefix),
    Path(sys.base_prefix),
    Path(__file__).parents[1],
)
MAX_REASON = 300


class NotCapturable(CaseError):
    """A step that no graph can hold.

    Args:
        reason: in one line.
        where: of several ranks, which one.
    """

    def __init__(self, reason: str, where: str = "") -> None:
        super().__init__(
            f"execution: cuda_graph: the step{where} cannot be captured: {reason}; use execution: "
            "eager"
        )
        self.reason = reason


def capture(
    step: Callable[[], None], stream: torch.cuda.Stream | None = None
) -> torch.cuda.CUDAGraph:
    """Return the graph of one call of the step, which trains nothing meanwhile.

    Only this thread must not wait for the GPU meanwhile (`thread_local`): NCCL's own asks it about
    collectives of before.

    Args:
        step: has run before.
        stream: the one on which it has run, not torch's default; None for the current one.

    Raises:
        NotCapturable: the step asks for what a graph cannot hold.
        torch.OutOfMemoryError: the GPU is full.
    """
    graph = torch.cuda.CUDAGraph()
    try:
        with (
            no_garbage_collection(),
            torch.cuda.graph(
                graph,
                stream=stream or torch.cuda.current_stream(),
                capture_error_mode="thread_local",
            ),
        ):
            step()
    except Exception as error:
        cause = first_cause(error)
        if isinstance(cause, torch.OutOfMemoryError):
            raise cause from None
        raise NotCapturable(reason_of(cause)) from cause
    return graph


def first_cause(error: BaseException) -> BaseException:
    """Return the error that the others followed: the end of a broken capture raises one more."""
    while (before := error.__cause__ or error.__context__) is not None:
        error = before
    return error


def reason_of(error: BaseException) -> str:
    """Return what was wrong in one line, and the line of the user's code that asked for it."""
    words = (str(error).splitlines() or [""])[0].strip().rstrip(".")
    said = f"{type(error).__name__}: {words}" if words else type(error).__name__
    frames = [frame for frame in extract_tb(error.__traceback__) if _is_of_user(frame)]
    where = f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else ""
    return f"{said[:MAX_REASON]}{where}"


def _is_of_user(frame: FrameSummary) -> bool:
    path = Path(frame.filename)
    return path.is_file() and not any(path.is_relative_to(folder) for folder in NOT_OF_USER)
