"""Layers that run again in backward: the memory that this saves, and the time that it costs."""

from report.analysis.comparison import (
    CANNOT,
    Pair,
    pairs,
    times_words,
    verdict_words,
    why_incomparable,
)
from report.analysis.flops import step_flops
from report.analysis.profiled.shapes import recomputed_flops
from report.answers.phrases import label_of
from report.data.labels import differing
from report.data.measured import MeasuredCase
from report.wording.quantities import list_words
from report.wording.units import BYTES, percent


def recomputing(results: list[MeasuredCase]) -> list[str]:
    """Return a sentence or two for each pair of cases that differ in `recompute` alone."""
    keys = differing(results, "recompute")
    return [_compare(pair, label_of(pair.least, keys)) for pair in pairs(results, "recompute")]


def _compare(pair: Pair, label: str) -> str:
    plain, again = pair.least, pair.most
    if plain.case.recompute != "none":  # words have no order of their own
        plain, again = again, plain
    found = f"{label}{_memory(plain, again)}"
    if problem := why_incomparable(plain, again, "recompute"):
        return f"{found}What running layers again costs {CANNOT}: {problem}."
    words = verdict_words(plain, again, "keeping what backward needs", "running layers again")
    cost = f"{words[0].upper()}{words[1:]}, {times_words(plain, again)}."
    return f"{found}{cost}{_operations(again)}"


def _memory(plain: MeasuredCase, again: MeasuredCase) -> str:
    """Return the peaks of the fullest GPUs, or of the one that all share; empty if unknown."""
    where, sizes = "the fullest GPU holds", [_fullest(plain), _fullest(again)]
    if None in sizes:
        where = "the GPU that all share holds"
        sizes = [r.measurement.shared_peak_allocated_bytes for r in (plain, again)]
    known = [size for size in sizes if size is not None]
    if len(known) < 2 or not known[0]:
        return ""
    before, after = list_words(known, BYTES)
    change = known[1] / known[0] - 1
    words = f"{percent(abs(change))} {'less' if change < 0 else 'more'}" if change else "the same"
    return f"With layers run again, {where} {words} at the peak: {after} instead of {before}. "


def _fullest(result: MeasuredCase) -> int | None:
    gpu = result.fullest_gpu
    return None if gpu is None else gpu.peak_allocated_bytes


def _operations(again: MeasuredCase) -> str:
    """Return what the second run adds to the operations of a step, where that is known."""
    counted = step_flops(again.case, again.model)
    added = recomputed_flops(again.case, again.model)
    if not counted or added is None:
        return ""
    if not added:
        return " The second run adds no matrix product."
    return f" The second run adds {percent(added / counted)} to the operations of a step."
