"""A gain of more GPUs that is certain, and too small to be a reason for them."""

from report.analysis.comparison import is_disturbed
from report.answers.along import Along, verdict_on

LITTLE = 0.05  # of the step time; less is not called faster before the figures are told


def small_gain(group: Along) -> str:
    """Return `Hardly: at most 2.0 % less time. `; empty where there is no gain, or may be more.

    Args:
        group: The cases by their numbers of GPUs.
    """
    pairs = [*group.compared, *(pair for pair in group.ends if pair not in group.compared)]
    found = [verdict_on(pair) for pair in pairs]
    gains = [pair for pair in pairs if verdict_on(pair).kind == "faster"]
    is_slower = any(verdict.kind == "slower" for verdict in found)
    if not gains or is_slower or any(1 - verdict.low >= LITTLE for verdict in found):
        return ""
    most = min(gains, key=lambda pair: verdict_on(pair).ratio)
    share = 100 * (1 - verdict_on(most).ratio)
    if is_disturbed(most.least, most.most):
        return f"Hardly: at most about {max(1, round(share))} % less time. "
    return f"Hardly: at most {share:.1f} % less time. "
