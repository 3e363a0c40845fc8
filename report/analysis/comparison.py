"""Comparisons of measurements: which are valid, the verdict on two, words of their sentences."""

from functools import cache

from report.analysis.verdicts.cautions import Places, find_cautions
from report.analysis.verdicts.incomparable import why_incomparable
from report.analysis.verdicts.pairing import (
    CANNOT,
    Pair,
    pairs,
)
from report.analysis.verdicts.rough import rough_words
from report.data.labels import differing, differs
from report.data.measured import MeasuredCase
from report.wording.cautions import mark
from report.wording.units import seconds
from study.case import ARGUMENT
from study.statistics.comparison import Comparison
from study.statistics.samples import estimate

__all__ = [
    "CANNOT",
    "Pair",
    "cautions",
    "is_disturbed",
    "is_swept_instead",
    "pairs",
    "swept_keys",
    "times_words",
    "verdict",
    "verdict_words",
    "why_incomparable",
    "why_no_pair",
]

# Axes that no task asks for, without those of how a case is measured. Depth, GPUs, execution and
# recompute have other answers.
SWEPT = ("dim", "batch_size", "split", "dtype", "optimizer", "heads", "seq_len", "vocab", "tied",
         "width", "image", "classes", "norm", "sha256")  # fmt: skip


def swept_keys(results: list[MeasuredCase]) -> list[str]:
    """Return the keys of `SWEPT`, and the arguments of a factory, in which the cases differ."""
    found = differing(results)
    return [key for key in SWEPT if key in found] + [k for k in found if k.startswith(ARGUMENT)]


def is_swept_instead(results: list[MeasuredCase], key: str) -> bool:
    """Return True if the cases differ in a swept key and not in this one."""
    return not differs(results, key) and bool(swept_keys(results))


def why_no_pair(results: list[MeasuredCase], key: str) -> str:
    """Return the reason why no two measurements differ in `key` alone."""
    if not differs(results, key):
        return f"it takes two values of {key}, all else equal"
    return f"the cases differ in {' and '.join(differing(results, key))}, too"


@cache  # the first page and the answers compare the same pairs
def verdict(a: MeasuredCase, b: MeasuredCase) -> Comparison:
    """Compare the step times of b with those of a, which must be comparable."""
    from study.statistics.bootstrap import compare  # imported here: it needs numpy and scipy

    found = compare(a.steps_s, b.steps_s)
    assert found is not None
    return found


def cautions(a: MeasuredCase, b: MeasuredCase, places: Places | None = None) -> list[str]:
    """Return what makes the comparison less than certain: short phrases, the worst first.

    Args:
        a: A measurement.
        b: One that may be compared with it.
        places: Phrases that tell them apart, e.g. `on 5 GPUs`; else made from their keys.
    """
    return [caution.text for caution in find_cautions(a, b, places)]


def is_disturbed(a: MeasuredCase, b: MeasuredCase) -> bool:
    """Return True if the size of a difference between the two is not to be trusted."""
    return any(caution.disturbs for caution in find_cautions(a, b))


def verdict_words(
    a: MeasuredCase, b: MeasuredCase, a_name: str, b_name: str, plural: bool = False
) -> str:
    """Return the verdict, then a mark with its cautions, as a sentence without its stop.

    Of measurements that something disturbed, the figure is a rough one.

    Args:
        a: The measurement that b is compared to.
        b: The other.
        a_name: What to call a.
        b_name: What to call b.
        plural: Whether b is several.
    """
    found = verdict(a, b)
    names = (a_name, b_name, plural)
    words = rough_words(found, *names) if is_disturbed(a, b) else found.words(*names)
    return f"{words}{mark(cautions(a, b))}"


def times_words(a: MeasuredCase, b: MeasuredCase) -> str:
    """Return `with 30 ms and 31 ms a step`, in the order in which `verdict_words` name the two."""
    found = verdict(a, b)
    open_and_rough = found.kind == "undecided" and is_disturbed(a, b)
    first, second = (a, b) if found.names_a_first or open_and_rough else (b, a)
    return f"with {seconds(estimate(first.steps_s))} and {seconds(estimate(second.steps_s))} a step"
