"""Columns of a table of schedules: step time, speed-ups, bubble and formula."""

from statistics import fmean

from report.analysis.bubble import bubbles
from report.analysis.speedup import Factor, factor_over, naive_on
from report.analysis.step_time import step_time
from report.data.measured import MeasuredCase
from report.tables.columns import STEP_TIME, Cells
from report.wording.units import UNKNOWN, percent
from study.stages import bubble_share

OVER_ONE = "speed over 1 GPU (95 % CI)"
OVER_NAIVE = "speed over naive (95 % CI)"
BUBBLE, FORMULA = "bubble", "formula"
HEADINGS = (STEP_TIME, OVER_ONE, OVER_NAIVE, BUBBLE, FORMULA)

FACT = (
    "Speeds are held against the naive schedule on 1 GPU and on as many GPUs. Bubble: the share "
    "of a step in which a GPU computes nothing, the mean of the GPUs (least – most); formula: what "
    "it would be if all actions of a schedule took equally long and nothing else took any time."
)


def rows(results: list[MeasuredCase]) -> list[Cells]:
    """Return the cells of each case, compared with the naive cases among the results."""
    return [_cells(result, results) for result in results]


def _cells(result: MeasuredCase, results: list[MeasuredCase]) -> Cells:
    """Compare one case; a dash where that is not valid, and the answers say why."""
    share = bubble_share(result.case)
    return {
        STEP_TIME: step_time(result).words,
        OVER_ONE: _factor(factor_over(naive_on(1, result, results), result)),
        OVER_NAIVE: _factor(factor_over(naive_on(result.case.gpus, result, results), result)),
        BUBBLE: _bubble(result),
        FORMULA: UNKNOWN if share is None else percent(share),
    }


def _factor(found: Factor | None) -> str:
    if found is None:
        return UNKNOWN
    return f"{found.value:.2f} ({found.low:.2f} – {found.high:.2f})"


def _bubble(result: MeasuredCase) -> str:
    shares = [bubble.measured for bubble in bubbles(result)]
    if not shares:
        return UNKNOWN
    low, mean, high = (percent(share) for share in (min(shares), fmean(shares), max(shares)))
    return mean if low == high else f"{mean} ({low.removesuffix(' %')} – {high})"
