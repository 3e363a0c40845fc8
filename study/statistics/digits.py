"""Numbers with as many digits as their interval supports, three at most."""

import math
from collections.abc import Sequence

SIGNIFICANT = 3
MOST = 1000  # a factor beyond is given as more than something, without digits that nobody uses


def factor_and_interval(value: float, low: float, high: float) -> tuple[str, str]:
    """Return a factor, and its 95 % interval in brackets.

    Args:
        value: the factor, 1 or more.
        low: the interval's lower end.
        high: its upper end.

    Returns:
        `1.83` and `(95 % CI 1.75 to 1.91)`, or `over 800` and `(95 % confidence)`.
    """
    if value >= MOST:
        step = _power_of_ten(low)
        return f"over {min(MOST, math.floor(low / step) * step):.0f}", "(95 % confidence)"
    number, *ends = _rounded((value, low, high), _step(value, (high - low) / 2, least=0.01))
    return number, f"(95 % CI {' to '.join(ends)})"


def percent_and_interval(share: float, low: float, high: float) -> tuple[str, str]:
    """Return a share as percent, and its 95 % interval in brackets.

    Args:
        share: above 0.
        low: the interval's lower end, above 0 as well.
        high: its upper end.

    Returns:
        `19.9 %` and `(95 % CI 18.8 to 21.0 %)`.
    """
    values = [100 * each for each in (share, low, high)]
    step = _step(values[0], (values[2] - values[1]) / 2, least=0.1)
    while round(values[1] / step) == 0 and step > 1e-3:  # an end above 0 is not shown as 0
        step /= 10
    number, *ends = _rounded(values, step)
    return f"{number} %", f"(95 % CI {' to '.join(ends)} %)"


def interval_of_ratio(low: float, high: float) -> str:
    """Return an interval of b / a for which nothing is sure: percents, or factors if it is wide."""
    if low > 0.5 and high < 2:
        ends = [f"{100 * (end - 1):+.1f}".replace("-", "−") for end in (low, high)]
        return f"95 % CI {' to '.join(ends)} %"
    shown = [f"{end:.2g}" if end < MOST else f"over {MOST}" for end in (low, high)]
    return f"95 % CI {' to '.join(shown)} times the time"


def percent_rounded_up(share: float) -> str:
    """Return percent to the next tenth, so that nothing of an interval lies beyond."""
    return f"{math.ceil(round(1000 * share, 6)) / 10:.1f} %"


def short_percent(share: float) -> str:
    """Return percent with two digits at most."""
    return f"{100 * share:.2g} %"


def _step(value: float, half_width: float, least: float) -> float:
    """Return the power of ten to round to: 2 or 3 digits of the value, 3 in a narrow interval."""
    finest = max(least, _power_of_ten(value) / 10.0 ** (SIGNIFICANT - 1))
    coarsest = max(finest, _power_of_ten(value) / 10.0 ** (SIGNIFICANT - 2))
    return min(coarsest, max(finest, _power_of_ten(half_width / 2)))


def _power_of_ten(value: float) -> float:
    """Return the power of ten of the first digit; 0 of 0."""
    return float(10.0 ** math.floor(math.log10(value))) if value > 0 else 0.0


def _rounded(values: Sequence[float], step: float) -> list[str]:
    decimals = max(0, -math.floor(math.log10(step) + 0.5))
    return [f"{round(value / step) * step:.{decimals}f}" for value in values]
