"""Throughput in what a user counts, tokens or images, and the share of the hardware's peak."""

from collections.abc import Sequence

from report.analysis.metrics import Baselines, metrics
from report.analysis.speedup import MAY_DIFFER
from report.answers.phrases import groups_of
from report.answers.pipelines.ranking import quickest, step_s
from report.data.measured import MeasuredCase
from report.wording.names import schedule_in_text
from report.wording.quantities import PLAIN, list_words
from report.wording.units import count_of, percent


def sentences(results: Sequence[MeasuredCase]) -> list[str]:
    """Return the highest throughput of each setting; emulated GPUs have none."""
    real = [result for result in results if not result.emulated]
    return [
        f"{label}{_best(quickest(alike))}" for label, alike in groups_of(real, *MAY_DIFFER).items()
    ]


def _items_a_step(result: MeasuredCase) -> int:
    """Return the tokens, images or samples of a step."""
    model = result.model
    return result.case.batch_size * (1 if model is None else model.items_per_row)


def _best(best: MeasuredCase) -> str:
    rate, gpus = _items_a_step(best) / step_s(best), best.case.gpus
    item = best.model.item if best.model is not None else "sample"
    shown, each = list_words([rate, rate / gpus], PLAIN)
    per_gpu = f", {each} a GPU" if gpus > 1 else ""
    where = f"on {count_of(gpus, 'GPU')} under {schedule_in_text(best.case)}"
    return f"The highest throughput measured is {shown} {item}s/s, {where}{per_gpu}.{_mfu(best)}"


def _mfu(best: MeasuredCase) -> str:
    """Return the share of the datasheet's peak, and of the fastest product of the same job."""
    found = metrics(best, Baselines([best]))
    if found.mfu is None:
        return ""
    gpus, number = best.case.gpus, best.case.dtype
    of = "the GPU's" if gpus == 1 else f"the {gpus} GPUs'"
    fastest = (
        ""
        if found.share_of_fastest is None
        else f", and {percent(found.share_of_fastest)} by the fastest matrix product that the job "
        "measured"
    )
    return (
        f" Its MFU is {percent(found.mfu)} by {of} dense {number} peak in the datasheet{fastest}."
    )
