"""A verdict in one or two digits, for measurements that something disturbed."""

from study.statistics.comparison import Comparison

FACTOR = 1.5  # from here on a factor, below it percent of the time
TWO_DIGITS = 10  # from here on one digit will do


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
    if found.ratio >= FACTOR:
        return (
            f"{b} {'take' if plural else 'takes'} about {_digits(found.ratio)} times as long as {a}"
        )
    if found.ratio <= 1 / FACTOR:
        faster = _digits(1 / found.ratio)
        return f"{b} {'are' if plural else 'is'} about {faster} times as fast as {a}"
    percent = f"{_percent(abs(found.ratio - 1))} % {'more' if found.ratio > 1 else 'less'}"
    return f"{b} {'take' if plural else 'takes'} about {percent} time than {a}"


def _digits(value: float) -> str:
    """Return two digits below 10 and from 10 to 100, one above: 1.3, 12, 300."""
    if value < TWO_DIGITS:
        return f"{float(f'{value:.2g}'):g}"
    return f"{float(f'{value:.{2 if value < TWO_DIGITS**2 else 1}g}'):.0f}"


def _percent(share: float) -> str:
    """Return one digit below 10 %, else two; no less than 1."""
    return f"{max(1, round(100 * share))}"
