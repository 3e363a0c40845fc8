"""Cases of a table without a measurement: how many, and the first few by name."""

from report.answers.phrases import case_words
from report.data.labels import keys_of
from report.data.rows import Row
from report.document import Answer
from report.wording.names import HOW, outcome_words, schedule_in_text, value_text
from report.wording.units import count_of
from study.case import ARGUMENT, Case
from study.outcome import UNTRIED
from study.text import one_line

NAMED = 5  # cases; of more that failed, the number is given besides


def answer(rows: list[Row]) -> list[Answer]:
    """Say how many cases are missing, and name the first that failed, did not run, or are open."""
    missing = [row for row in rows if row.measured is None]
    if not missing:
        return []
    keys = [key for key in _differing(rows) if key not in ("depth", "gpus", *HOW)]
    ended = [row for row in missing if row.outcome is not None]
    named = _ended("Failed", [row for row in ended if row.outcome not in UNTRIED], keys)
    named += _ended("Not run", [row for row in ended if row.outcome in UNTRIED], keys)
    named += _without_result([row.case for row in missing if row.outcome is None], rows)
    return [Answer("", [f"Missing from this answer: {len(missing)} of {len(rows)} cases.{named}"])]


def _ended(word: str, rows: list[Row], keys: list[str]) -> str:
    """Name the first few of these cases and how each ended; empty without one."""
    if not rows:
        return ""
    names = [f"{_name(row.case, keys)} ({outcome_words(str(row.outcome))})" for row in rows]
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return f" {word}: {', '.join(names[:NAMED])}{more}."


def _without_result(cases: list[Case], rows: list[Row]) -> str:
    """Name the cases that have not ended, by what tells them from the others, where they are few.

    Args:
        cases: Those cases.
        rows: All of the table.
    """
    if not 0 < len(cases) <= NAMED:
        return ""
    names = [case_words(case, _differing(rows)) for case in cases]
    return f" Without a result: {'; '.join(filter(None, names))}."


def _differing(rows: list[Row]) -> list[str]:
    """Return the keys in which cases of the table differ."""
    every = [row.case for row in rows]
    return [key for key in keys_of(every) if len({case.value(key) for case in every}) > 1]


def _name(case: Case, keys: list[str]) -> str:
    """Return `depth 24 on 2 GPUs`, behind the values of these keys: `batch 160, depth 24 …`.

    Of a program all arguments are named, as its user wrote them.
    """
    how = "" if case.schedule == "naive" else f" as {schedule_in_text(case)}"
    depth = f"depth {case.depth} " if case.has_key("depth") else ""
    own = [f"{name} {value_text(name, value)}" for name, value in case.arguments.items()]
    is_program = case.kind == "program"
    sizes = depth or (f"{one_line(', '.join(own))} " if is_program and own else "")
    others = [key for key in keys if not (is_program and key.startswith(ARGUMENT))]
    sizes = ", ".join(filter(None, [one_line(case_words(case, others)), sizes]))
    return f"{sizes}on {count_of(case.gpus, 'GPU')}{how}"
