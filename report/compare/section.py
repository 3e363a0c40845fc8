"""Comparison of two sets of results as a section, and the gate of `--fail-on-regression`."""

from report.analysis.step_time import step_time
from report.analysis.verdicts.rough import rough_digits
from report.compare.pairs import CasePair, ResultSet
from report.data.commits import commit_words
from report.data.labels import Labels
from report.data.measured import MeasuredCase
from report.document import Answer, Section, make_rows
from report.wording.units import UNKNOWN, count_of
from study.statistics.comparison import Comparison

VERDICTS = {"faster": "faster", "slower": "slower", "same": "same", "undecided": "cannot tell"}
RATIO = "after / before (95 % CI)"
FINEST = 0.015  # what verdicts on single jobs can find; a gate of 0 % asks for no more
ROUNDING = 1e-9  # 0.103 / 0.1 - 1 is a little less than 0.03


def make_comparison(before: ResultSet, after: ResultSet, rows: list[CasePair]) -> Section:
    """Return the section.

    Args:
        before: The reference.
        after: The set that is compared with it.
        rows: The pairs of both.
    """
    compared = [row.verdict.kind for row in rows if row.verdict is not None]
    counts = ", ".join(
        f"{compared.count(kind)} {VERDICTS[kind]}" for kind in VERDICTS if kind in compared
    )
    left_out = len(rows) - len(compared)
    answer = f"{count_of(len(compared), 'case')} compared: {counts or 'none'}."
    if not rows:
        answer = "Nothing to compare: neither has one of these cases."
    if left_out:
        answer += f" {count_of(left_out, 'case')} not compared; each says why."
    facts = f"Before: {before.name}. After: {after.name}."
    labels = Labels(rows)
    return Section(
        title=f"{after.name} beside {before.name}",
        facts=[f"{facts} {_torch(rows)} {_commits(rows)}" if rows else facts],
        table=make_rows("", [_cells(row, labels) for row in rows]),
        answers=[Answer("", [answer])],
    )


def _torch(rows: list[CasePair]) -> str:
    olds = {row.before.environment.torch for row in rows if row.before is not None}
    news = {row.after.environment.torch for row in rows if row.after is not None}
    if (olds | news) == {None}:  # programs, which have a torch of their own or none
        return ""
    texts = [" and ".join(sorted(filter(None, each))) or UNKNOWN for each in (olds, news)]
    return f"torch {texts[0]} before, {texts[1]} after."


def _commits(rows: list[CasePair]) -> str:
    """Name the commits of both sets: what a comparison of two versions is about."""
    olds = {job.code for row in rows if row.before is not None for job in row.before.jobs}
    news = {job.code for row in rows if row.after is not None for job in row.after.jobs}
    if olds == news:
        return f"Code of both: {commit_words(olds)}."
    return f"Code: {commit_words(olds)} before, {commit_words(news)} after."


def _cells(row: CasePair, labels: Labels) -> dict[str, str]:
    cells = {"profile": row.profile} | labels.of(row)
    cells |= {"before": _step_time(row.before), "after": _step_time(row.after)}
    found = row.verdict
    if found is None:
        return cells | {RATIO: UNKNOWN, "verdict": row.reason}
    lost = f"{count_of(row.unmeasured, 'job')} missing or left out" if row.unmeasured else ""
    return cells | {
        RATIO: _ratio(row, found),
        "verdict": "; ".join(filter(None, [VERDICTS[found.kind], lost, _caution(row)])),
    }


def _ratio(row: CasePair, found: Comparison) -> str:
    if row.is_disturbed:
        return f"about {rough_digits(found.ratio)}"
    return f"{found.ratio:.3f} ({found.low:.3f} – {found.high:.3f})"


def _caution(row: CasePair) -> str:
    return f"but {' and '.join(row.cautions)}" if row.cautions else ""


def _step_time(result: MeasuredCase | None) -> str:
    return UNKNOWN if result is None else step_time(result).words


def complaints(rows: list[CasePair], limit: float | None) -> list[str]:
    """Return reasons to fail, a line each: missing jobs and, with a limit, regressions.

    With a limit, cases that cannot be compared fail too, and so do data that are too noisy to see
    it in any case.
    """
    found = []
    if missing := sum(row.is_missing for row in rows):
        found.append(f"cases of which one of the two sets lacks or leaves out a job: {missing}")
    if limit is None:
        return found
    compared = [row for row in rows if row.verdict is not None]
    for row in compared:
        if _is_slower(row, limit):
            case = f"{row.case.case_id} ({row.profile})"
            caution = "; ".join(filter(None, [case, _caution(row)]))
            found.append(f"slower by {100 * limit:g} % or more: {caution}")
    if not compared or len(compared) < len(rows):
        count = f"{len(compared)} of {len(rows)}"
        found.append(f"compared: {count} cases; a gate passes only if all were")
    if compared and len(_unseen(rows, limit)) == len(compared):
        found.append("nothing could have been seen in any case; a gate that is blind does not pass")
    return found


def blind_spots(rows: list[CasePair], limit: float | None) -> list[str]:
    """Return a warning about cases in which the gate could not have seen a regression."""
    unseen = [] if limit is None else _unseen(rows, limit)
    if limit is None or not unseen:
        return []
    compared = sum(row.verdict is not None for row in rows)
    return [
        f"{len(unseen)} of {count_of(compared, 'case')} cannot be told apart finely "
        f"enough to see {100 * max(limit, FINEST):g} %; measure both sets with submit.py "
        "--repeats 5, or for longer"
    ]


def _unseen(rows: list[CasePair], limit: float) -> list[CasePair]:
    """Return the pairs that may be slower by the limit without a verdict."""
    return [row for row in rows if not _is_slower(row, limit) and _may_be_slower(row, limit)]


def _may_be_slower(row: CasePair, limit: float) -> bool:
    """Return True if the interval is so wide that it may hide a slowdown of the limit.

    It is taken from 1 on, or from the ratio of a case that is known to be slower.
    """
    found = row.verdict
    if found is None:
        return False
    known = found.ratio if found.kind == "slower" else 1.0
    return found.high - known >= max(limit, FINEST)


def _is_slower(row: CasePair, limit: float) -> bool:
    found = row.verdict
    return found is not None and found.kind == "slower" and found.ratio - 1 >= limit - ROUNDING
