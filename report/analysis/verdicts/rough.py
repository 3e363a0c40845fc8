"""A verdict in one or two digits, for measurements that something disturbed."""

from study.statistics.comparison import Comparison

FACTOR = 1.5  # from here on a factor, below it percent of the time
ONE, TEN = 1, 10
ONE_DIGIT = 200  # from here on


def rough_digits(value: float) -> str:
    """Return a factor with two digits, from 200 on with one: 1.3, 12, 140, 300."""
    digits = 2 if value < ONE_DIGIT else 1
    rounded = float(f"{value:.{digits}g}")
    if rounded < ONE:
        return f"{rounded:g}"
    return f"{rounded:.1f}" if rounded < TEN else f"{rounded:.0f}"


def rough_words(found: Comparison, a: str, b: str, plural: bool = False) -> str:
    """Return the verdict without an interval and without digits that nothing supports.

    Args:
        found: The comparison of b with a.
        a: The name of the one that b is compared to.
        b: The name of the other.
        plural: Whether b is several.
    """
    match found.kind:
        case "same":
            return f"no difference is seen between {a} and {b}"
        case "undecided":
            return f"{a} and {b} cannot be told apart"
    takes = f"{b} {'take' if plural else 'takes'} about"
    if found.ratio >= FACTOR:
        return f"{takes} {rough_digits(found.ratio)} times as long as {a}"
    if found.ratio <= 1 / FACTOR:
        faster = rough_digits(1 / found.ratio)
        return f"{b} {'are' if plural else 'is'} about {faster} times as fast as {a}"
    percent = f"{_percent(abs(found.ratio - 1))} % {'more' if found.ratio > 1 else 'less'}"
    return f"{takes} {percent} time than {a}"


def _percent(share: float) -> str:
    """Return one digit below 10 %, else two; no less than 1."""
    return f"{max(1, round(100 * share))}"
