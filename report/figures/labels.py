"""The words in drawings: what tells a case from the others, and where its numbers come from."""

from collections.abc import Sequence

from report.data.measured import MeasuredCase
from report.wording.hardware import shared_device
from report.wording.names import key_text
from report.wording.units import plural
from study.case import Case
from study.schedules import has_key

WORDS = {"batch_size": "batch", "chunks_per_gpu": "chunks per GPU"}
MAX_ORIGIN = 90  # characters; as many as fit above a drawing


def label(result: MeasuredCase, results: Sequence[MeasuredCase], besides: str = "") -> str:
    """The GPUs, and whatever else differs between the cases, besides this key."""
    text = _label(result, results, besides)
    return f"{text} (emulated)" if result.emulated else text


def series(results: Sequence[MeasuredCase], key: str) -> dict[str, list[MeasuredCase]]:
    """The cases that differ in nothing but this key, in its order; each by its label."""
    found: dict[str, list[MeasuredCase]] = {}
    name = _label if key == "gpus" else label  # emulated GPU counts stand beside real ones
    for result in sorted(results, key=lambda r: _rank(getattr(r.case, key))):
        found.setdefault(name(result, results, key), []).append(result)
    return found


def _rank(value: object) -> int:
    """Names stay in the order of the grid."""
    return value if isinstance(value, int) else 0


def _label(result: MeasuredCase, results: Sequence[MeasuredCase], besides: str) -> str:
    keys = ["gpus", *(key for key in result.case.as_dict() if key not in ("gpus", "repeat"))]
    shown = [key for key in keys if key == "gpus" or _differs(key, results)]
    words = [_word(key, result.case) for key in shown if key != besides]
    words = [word for word in words if word]
    if len({r.hardware for r in results}) > 1:
        words.append(result.hardware)
    return ", ".join(words)


def _differs(key: str, results: Sequence[MeasuredCase]) -> bool:
    return len({getattr(result.case, key) for result in results}) > 1


def _word(key: str, case: Case) -> str:
    """Nothing for a key that the case's schedule does not have."""
    if not has_key(key, case.schedule):
        return ""
    value = getattr(case, key)
    if key == "gpus":
        return f"{value} {plural(value, 'GPU')}"
    if key == "micro_batches":
        return f"{value} {plural(value, 'micro-batch', 'micro-batches')}"
    if key == "balance":
        return f"balanced by {value}"
    return key_text(case, key) if isinstance(value, str) else f"{WORDS.get(key, key)} {value}"


def origin(results: Sequence[MeasuredCase]) -> str:
    """The hardware in words; before it, what is emulated, and on what."""
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
    """As many cases as a drawing has room for, and words for its caption if some are left out."""
    note = f" (the first {limit} of {len(results)} cases)" if len(results) > limit else ""
    return results[:limit], note
