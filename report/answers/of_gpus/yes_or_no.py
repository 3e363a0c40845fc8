"""The first words on adding GPUs: yes, no, or hardly, by the verdicts on all pairs."""

from report.analysis.comparison import CANNOT, Pair, is_disturbed, why_incomparable
from report.answers.along import Along, verdict_on
from report.answers.phrases import listed

SO_FAR = ", as far as these results tell"
LITTLE = 0.05  # of the step time; less is not called faster before the figures are told


def yes_or_no(group: Along, is_part: bool) -> str:
    """Return the first words of the answer for one group.

    Args:
        group: The cases by their numbers of GPUs.
        is_part: Other cases cannot be compared.
    """
    if little := _small_gain(group):
        is_all = not group.refused and not is_part
        return f"Hardly{'' if is_all else SO_FAR}: {little}. "
    kinds = set(group.kinds)
    is_open = bool(group.refused) or is_part or "undecided" in kinds
    so_far = SO_FAR if is_open else ""
    if (drift := group.drift) is not None:
        yes = "Yes" if verdict_on(drift).kind == "faster" else "No"
        return f"{yes}, though no two numbers of GPUs next to each other are known to differ. "
    if kinds == {"faster"}:
        return f"Yes{so_far}. "
    if "faster" in kinds and "slower" in kinds:
        return "Not always. "
    if "faster" in kinds:
        return _up_to(group)
    if "slower" in kinds:
        return f"No{so_far}. "
    return "No, it makes no difference. " if kinds == {"same"} else ""


def over_the_least(group: Along) -> list[Pair]:
    """Return the fewest GPUs with each count that is known to be faster, the neighbour aside."""
    first, *others = group.cases
    pairs = [
        Pair(group.label, first, r) for r in others if why_incomparable(first, r, "gpus") is None
    ]
    known = [pair for pair in pairs if verdict_on(pair).kind == "faster"]
    return [pair for pair in known if pair not in (*group.compared, *group.ends)]


def _up_to(group: Along) -> str:
    """Answer where more GPUs are faster at first, and no difference is known after that."""
    gains = [kind == "faster" for kind in group.kinds]
    if gains != sorted(gains, reverse=True):
        return "For some GPU counts. "
    first, last = group.compared[0], group.compared[gains.count(True) - 1]
    least, enough = first.least.case.gpus, last.most.case.gpus
    more = [pair.most.case.gpus for pair in group.compared[gains.count(True) :]]
    if set(group.kinds) == {"faster", "same"}:
        return f"Yes, up to {enough} GPUs; {_either(more)} GPUs make no difference to that. "
    known = sorted({pair.most.case.gpus for pair in over_the_least(group)} & {*more})
    too = f"; {listed(known)} are faster than {least}, too" if known else ""
    return (
        f"Yes, up to {enough} GPUs{too}. Whether {_either(more)} GPUs are faster than {enough} "
        f"{CANNOT}. "
    )


def _either(counts: list[int]) -> str:
    """Return `3 or 4`."""
    *others, last = map(str, counts)
    return f"{', '.join(others)} or {last}" if others else last


def _small_gain(group: Along) -> str:
    """Return `at most 2.0 % less time`; empty where there is no gain, or may be more."""
    pairs = [*group.compared, *(pair for pair in group.ends if pair not in group.compared)]
    found = [verdict_on(pair) for pair in pairs]
    gains = [pair for pair in pairs if verdict_on(pair).kind == "faster"]
    is_slower = any(verdict.kind == "slower" for verdict in found)
    if not gains or is_slower or any(1 - verdict.low >= LITTLE for verdict in found):
        return ""
    most = min(gains, key=lambda pair: verdict_on(pair).ratio)
    share = 100 * (1 - verdict_on(most).ratio)
    if is_disturbed(most.least, most.most):
        return f"at most about {max(1, round(share))} % less time"
    return f"at most {share:.1f} % less time"
