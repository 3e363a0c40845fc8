"""The fastest schedule on so many GPUs: what it gains, what holds it back, and what it costs."""

from report.analysis.comparison import CANNOT, cautions, is_disturbed, verdict, verdict_words
from report.analysis.flops import parts_of
from report.analysis.verdicts.rough import rough_digits
from report.answers.pipelines import waiting
from report.answers.pipelines.ranking import Ranking, leaders, name_of, names_of, step_s
from report.data.measured import MeasuredCase
from report.wording.cautions import mark
from report.wording.names import schedule_in_text
from report.wording.units import data_size, number, ratio, seconds
from study.schedules import SCHEDULES
from study.stages import allowed_speed_up
from study.statistics.comparison import FACTOR

SAME_MEMORY = 0.05  # relative; peaks that differ by less are called equal


def answer(ranking: Ranking) -> list[str]:
    """Return the fastest, or those that cannot be told from it, then why, memory and the next."""
    ranked = ranking.ranked
    best, tied = ranked[0], leaders(ranked)
    if len(tied) == len(ranked) > 1:
        return [first_sentence(ranking)]
    sentences = [first_sentence(ranking), *waiting.answer(best, _whose(tied))]
    sentences += _memory(best, ranking)
    if rest := [result for result in ranked if result not in tied]:
        name = schedule_in_text(best.case)
        words = verdict_words(best, rest[0], name, schedule_in_text(rest[0].case))
        sentences.append(f"Next: {words}.")
    return sentences


def headline(ranking: Ranking) -> str:
    """Return the first sentence, and why naive is not in it where that is so."""
    if not ranking.has_naive_left_out:
        return first_sentence(ranking)
    return f"{first_sentence(ranking)} Whether it is faster than naive {CANNOT}: {ranking.problem}."


def first_sentence(ranking: Ranking) -> str:
    """Name the fastest with its step time and its gain over one GPU; say so where none is."""
    ranked = ranking.ranked
    best, tied, where = ranked[0], leaders(ranked), name_of(ranked[0])
    took = seconds(step_s(best))
    gain = f", {_gain(ranking, best)}" if ranking.one is not None else ""
    if len(ranked) == 1:
        what = "can be ranked" if ranking.has_left_out else "was measured"
        return f"On {where} only {names_of(ranked)} {what}: {took} a step{gain}."
    kinds = {verdict(best, other).kind for other in tied[1:]}
    where += ", of the cases that can be compared," if ranking.has_left_out else ""
    if len(tied) == len(ranked):
        what = f"take as long, {took} a step" if kinds == {"same"} else "cannot be told apart"
        return f"On {where} none is the fastest: all {len(ranked)} cases {what}."
    if len(tied) == 1:
        return f"On {where} {names_of(tied)} is the fastest: {took} a step{gain}."
    if kinds == {"same"}:
        return f"On {where} {names_of(tied)} are the fastest and equally fast: {took} a step{gain}."
    return (
        f"On {where} {schedule_in_text(best.case)} has the shortest median step, {took}{gain}; "
        f"{names_of(tied[1:])} cannot be told from it (up to {seconds(step_s(tied[-1]))})."
    )


def _gain(ranking: Ranking, best: MeasuredCase) -> str:
    """Compare the best with naive on one GPU, and with what its formula allows over that."""
    assert ranking.one is not None
    return f"{_times(ranking.one, best)}{_formula(ranking, best)}{_with_caution(ranking.one, best)}"


def _formula(ranking: Ranking, best: MeasuredCase) -> str:
    """Return what the formula allows over one GPU; it says so where the measured gain is more."""
    assert ranking.one is not None
    has_formula = not best.emulated and best.case.schedule != "naive"
    allowed = allowed_speed_up(best.case, parts_of(best)) if has_formula else None
    if allowed is None:
        return ""
    is_tied = len(leaders(ranking.ranked)) > 1
    whose = f"the formula of {SCHEDULES[best.case.schedule].label}" if is_tied else "its formula"
    found = verdict(ranking.one, best)
    if found.high * allowed < 1:
        return f" (more than the {ratio(allowed)} times that {whose} allows)"
    is_factor = found.kind == "faster" and 1 / found.ratio >= FACTOR
    return f" ({whose} allows {ratio(allowed)} times{'' if is_factor else ' as fast'})"


def _times(one: MeasuredCase, best: MeasuredCase) -> str:
    """Return `1.59 times as fast as one GPU`, or percent of time below a factor of 1.5."""
    than = "one process" if best.emulated else "one GPU"
    found, is_rough = verdict(one, best), is_disturbed(one, best)
    if found.kind in ("same", "undecided"):
        return f"{'no faster than' if found.kind == 'same' else 'not to be told from'} {than}"
    factor = max(found.ratio, 1 / found.ratio)
    about = "about " if is_rough else ""
    if factor >= FACTOR:
        digits = rough_digits(factor) if is_rough else number(factor)
        speed = "fast" if found.kind == "faster" else "long"
        return f"{about}{digits} times as {speed} as {than}"
    share = 100 * abs(found.ratio - 1)
    less = "less" if found.kind == "faster" else "more"
    return f"{about}{share:.{0 if is_rough else 1}f} % {less} time than {than}"


def _with_caution(one: MeasuredCase, best: MeasuredCase) -> str:
    """Return what makes the comparison less than certain, in a mark."""
    return mark(cautions(one, best, (f"on {name_of(one)}", f"on {name_of(best)}")))


def _whose(tied: list[MeasuredCase]) -> str:
    """Return `With ZB1P, ` where several are the fastest; empty where it is clear."""
    case = tied[0].case
    is_alone = len({result.case.schedule for result in tied}) == len(tied)
    name = SCHEDULES[case.schedule].label if is_alone else schedule_in_text(case)
    return f"With {name}, " if len(tied) > 1 else ""


def _memory(best: MeasuredCase, ranking: Ranking) -> list[str]:
    """Compare the peak memory of the fullest GPU with that of the naive schedule."""
    fullest = best.fullest_gpu
    if fullest is None:
        return []
    peak = fullest.peak_allocated_bytes or 0
    text = f"Peak memory is {data_size(peak)}, on GPU {fullest.index}"
    naive = ranking.naive if best is not ranking.naive and ranking.problem is None else None
    other = None if naive is None else naive.fullest_gpu
    if other is None or not other.peak_allocated_bytes:
        return [f"{text}."]
    times = peak / other.peak_allocated_bytes
    size = data_size(other.peak_allocated_bytes)
    if abs(times - 1) < SAME_MEMORY:
        return [f"{text}, about as much as with naive ({size})."]
    if times >= FACTOR:
        return [f"{text}, {ratio(times)} times that of naive ({size})."]
    below = "below" if times < 1 else "above"
    return [f"{text}, {100 * abs(times - 1):.0f} % {below} naive ({size})."]
