"""Peak memory of every GPU, and of all where one device emulates them."""

from itertools import chain, islice

from report.analysis.predicted_memory import predicted_of
from report.answers.phrases import listed, per_group
from report.data.measured import MeasuredCase
from report.wording.quantities import list_words
from report.wording.units import BYTES, count_of, data_size

MOST = 8  # GPU counts in one sentence, and GPUs of one count


def peaks(results: list[MeasuredCase]) -> list[str]:
    """Return the peaks of each group of cases that differ in GPUs alone; empty if none is known."""
    return per_group(results, "gpus", _group) if any(map(_is_known, results)) else []


def _is_known(result: MeasuredCase) -> bool:
    shared = result.measurement.shared_peak_allocated_bytes
    return shared is not None or result.fullest_gpu is not None


def _group(group: list[MeasuredCase]) -> list[str]:
    ranked = sorted(group, key=lambda result: result.case.gpus)
    known = [r for r in ranked if r.fullest_gpu is not None]
    shared = [r for r in ranked if r.measurement.shared_peak_allocated_bytes is not None]
    found = []
    if known:
        each = "; ".join(_each(known[:MOST]))
        more = f"; and {len(known) - MOST} more" if len(known) > MOST else ""
        found.append(f"At the peak of a step, GPU by GPU from GPU 0: {each}{more}.{_less(known)}")
    if shared:
        sizes = listed(
            f"{data_size(r.measurement.shared_peak_allocated_bytes)} on {r.case.gpus}"
            for r in shared[:MOST]
        )
        found.append(
            "Emulated GPUs have no memory of their own; the one GPU that they share holds "
            f"{sizes} GPUs together.{_on_real_gpus(shared[-1])}"
        )
    return found


def _on_real_gpus(emulated: MeasuredCase) -> str:
    """Say what as many real GPUs would hold by prediction; empty where nothing is predicted."""
    predicted = predicted_of(emulated)
    if predicted is None:
        return ""
    workspace = max((g.workspace_bytes or 0 for g in emulated.measurement.per_gpu), default=0)
    fullest = max(peak.total for peak in predicted) + workspace
    return (
        f" By prediction, the fullest of {count_of(emulated.case.gpus, 'real GPU')} would hold "
        f"{data_size(fullest)}."
    )


def _each(known: list[MeasuredCase]) -> list[str]:
    """Return the peaks of each case, all in one unit."""
    peaks = [[gpu.peak_allocated_bytes or 0 for gpu in r.measurement.per_gpu] for r in known]
    words = iter(list_words(chain.from_iterable(peaks), BYTES))
    each = [_in_short(sizes, list(islice(words, len(sizes)))) for sizes in peaks]
    return [f"on {count_of(result.case.gpus, 'GPU')} {text}"
            for result, text in zip(known, each, strict=True)]  # fmt: skip


def _in_short(sizes: list[int], words: list[str]) -> str:
    """Return each size; of many GPUs, the least and the most: the table has all of them."""
    if len(sizes) <= MOST:
        return listed(words)
    least, most = (words[sizes.index(size)] for size in (min(sizes), max(sizes)))
    return f"{least} each" if least == most else f"between {least} and {most} each"


def _less(known: list[MeasuredCase]) -> str:
    """Say what more GPUs do to the fullest one, if it falls from each count to the next."""
    full = [result.fullest_gpu for result in known]
    sizes = [gpu.peak_allocated_bytes or 0 for gpu in full if gpu is not None]
    if len(sizes) < 2 or sizes != sorted(sizes, reverse=True) or len(set(sizes)) < len(sizes):
        return ""
    first, *_, last = list_words(sizes, BYTES)
    return (
        f" The fullest GPU holds {first} on {count_of(known[0].case.gpus, 'GPU')} and {last} on "
        f"{known[-1].case.gpus}: each GPU holds its own part of the model alone."
    )
