"""Cases without a prediction, in lines: each reason once, with the command that helps."""

from collections.abc import Iterable

from study.text import one_line


def refusal_lines(without: Iterable[tuple[str, str]]) -> list[str]:
    """Return a line for each reason, with the first of its cases.

    Args:
        without: the id of each case without a prediction, and why.
    """
    why: dict[str, list[str]] = {}
    for case_id, reason in without:
        why.setdefault(reason, []).append(case_id)
    return [one_line(f"no prediction of {several(ids)}: {reason}") for reason, ids in why.items()]


def several(ids: list[str]) -> str:
    """Return the first of some cases, and how many others there are."""
    return f"{ids[0]} and {len(ids) - 1} more" if len(ids) > 1 else ids[0]
