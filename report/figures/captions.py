"""Words around a drawing: the origin of its numbers, and the cases it leaves out."""

from collections.abc import Sequence

from report.data.measured import MeasuredCase
from report.wording.hardware import shared_device

MAX_ORIGIN = 90  # characters that fit above a drawing


def origin(results: Sequence[MeasuredCase]) -> str:
    """Return what is emulated and on what, then the hardware."""
    emulated = [result for result in results if result.emulated]
    text = "; ".join(sorted({result.hardware for result in results}))
    if emulated:
        text = f"{_emulation(emulated, results)} · {text}"
    return text if len(text) <= MAX_ORIGIN else f"{text[: MAX_ORIGIN - 1]}…"


def _emulation(emulated: list[MeasuredCase], results: Sequence[MeasuredCase]) -> str:
    device = " or ".join(sorted({shared_device(result.environment) for result in emulated}))
    if len(emulated) == len(results):
        return f"emulated on {device}"
    counts = sorted({result.case.gpus for result in emulated})
    return f"emulated on {device}: {', '.join(map(str, counts))} GPUs"


def first_of(results: list[MeasuredCase], limit: int) -> tuple[list[MeasuredCase], str]:
    """Return as many cases as fit a drawing, and words for its caption if some are left out."""
    note = f" (the first {limit} of {len(results)} cases)" if len(results) > limit else ""
    return results[:limit], note
