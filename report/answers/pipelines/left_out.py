"""The cases on one number of GPUs that cannot be compared with the fastest, and why."""

from collections.abc import Sequence

from report.analysis.speedup import why_not_ranked
from report.analysis.verdicts.disturbances import cut_short_words, why_unfit
from report.answers.pipelines.ranking import name_of, names_of
from report.data.measured import MeasuredCase
from report.wording.names import schedule_in_text


def sentences(best: MeasuredCase, others: Sequence[MeasuredCase]) -> list[str]:
    """Return a sentence for each reason, with the names of the cases.

    Args:
        best: The fastest.
        others: The cases on as many GPUs; those that can be compared are not named.
    """
    reasons: dict[str, list[MeasuredCase]] = {}
    for result in others:
        if result is not best and why_not_ranked(best, result) is not None:
            reason = _why(best, result)
            # Those have different numbers of steps, and one reason all the same.
            is_short = reason == cut_short_words([result])
            reasons.setdefault("" if is_short else reason, []).append(result)
    where = name_of(best)
    return [
        f"Not compared on {where}: {names_of(found)}; {reason or cut_short_words(found)}."
        for reason, found in reasons.items()
    ]


def _why(best: MeasuredCase, result: MeasuredCase) -> str:
    """Say why a case is not compared with the fastest; name that one where it is the cause."""
    reason = why_not_ranked(best, result) or ""
    if reason and reason == why_unfit(best):
        return why_unfit(result) or f"with {schedule_in_text(best.case)} {reason}"
    return reason
