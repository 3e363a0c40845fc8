"""The reason for step times on several GPUs: what each part of a step takes with fewer and more."""

from report.analysis.comparison import Pair, is_disturbed
from report.analysis.time_use import (
    at_a_time,
    copies_s,
    instrumentation_cost,
    is_costly,
    time_use,
)
from report.answers.along import Along, verdict_on
from report.answers.phrases import about, listed
from report.data.measured import MeasuredCase
from report.wording.units import count_of, seconds
from study.statistics.samples import estimate

TURNS = 1.25  # GPUs at work at a time, up to which they take turns
COPIES = "copies between GPUs"
OPTIMIZER = "the longest optimizer step of a GPU"
# Changes of instrumented steps as multiples of that of timed steps; others explain something else.
LEAST_ALIKE, MOST_ALIKE = 0.5, 1.5
JUST_ONE = 1.02  # GPUs at work at a time
SMALL = 0.05  # of the difference of two steps; a part that changes less is not named
OVERLAP = 0.9  # of the sum of the optimizers' times; in less than this, they ran side by side


def reasons(group: Along) -> list[str]:
    """Return why more GPUs help little, and which parts of a step changed from end to end."""
    told = [*_perfect(group.ends[0]), *(line for p in explained(group) for line in _parts(p))]
    if any(OPTIMIZER in line for line in told):
        told += _side_by_side(explained(group)[-1].most)
    return [f"{group.label}{' '.join(told)}"] if told else []


def explained(group: Along) -> list[Pair]:
    """Return the pairs from end to end; where these are undecided, the clearest of the others."""
    ends = [pair for pair in group.ends if _is_decided(pair)]
    others = [pair for pair in group.compared if _is_decided(pair)]
    return ends or sorted(others, key=lambda pair: -abs(verdict_on(pair).ratio - 1))[:1]


def _is_decided(pair: Pair) -> bool:
    return verdict_on(pair).kind in ("faster", "slower")


def _perfect(pair: Pair) -> list[str]:
    """Hold the most GPUs against perfect sharing, where the GPUs are seen to take turns."""
    few, many = pair.least, pair.most
    found, part = verdict_on(pair), few.case.gpus / many.case.gpus
    at_least = found.low if found.kind == "undecided" else found.ratio
    if many.case.schedule != "naive" or is_disturbed(few, many) or at_least <= (1 + part) / 2:
        return []  # near perfect sharing or beyond it, or nobody knows how far from it
    several = [r for r in dict.fromkeys([few, many]) if takes_turns(r)]
    if many not in several:
        return []
    working = [at_a_time(r) or 0.0 for r in several]
    one = "little more than one" if max(working) > JUST_ONE else "only one"
    averages = listed(f"{about(n)} of {r.case.gpus}" for n, r in zip(working, several, strict=True))
    return [
        f"Perfect sharing would take {100 * part:.0f} % of the time on "
        f"{count_of(few.case.gpus, 'GPU')}. It does not get there, because {one} GPU works at a "
        f"time: on average {averages}."
    ]


def takes_turns(result: MeasuredCase) -> bool:
    """Return True if hardly more than one of several GPUs is seen to work at a time."""
    working = at_a_time(result)
    return working is not None and working <= TURNS and not is_costly(result) and (
        result.case.gpus > 1
    )  # fmt: skip


def _parts(pair: Pair) -> list[str]:
    """Return what changed, if instruments change a step by less than the difference to explain."""
    few, many = pair.least, pair.most
    found = verdict_on(pair)
    if found.kind not in ("faster", "slower") or many.case.schedule != "naive":
        return []
    if not (time_use(few) and time_use(many)) or is_disturbed(few, many):
        return []
    where = f"From {few.case.gpus} to {many.case.gpus} GPUs"
    costs = [cost for cost in map(instrumentation_cost, (few, many)) if cost is not None]
    most = max(costs, key=abs)
    if abs(most) >= abs(found.ratio - 1):
        return [
            f"{where}, which part of a step changed cannot be told: an instrumented step takes up "
            f"to {100 * abs(most):.0f} % {'longer' if most > 0 else 'less time'} than a plain one."
        ]
    timed = estimate(many.steps_s) - estimate(few.steps_s)
    instrumented = _whole(many) - _whole(few)
    if not LEAST_ALIKE <= instrumented / timed <= MOST_ALIKE:
        return _optimizers(few, many, timed)
    changes = {name: s for name, s in _changes(few, many).items()
               if name == COPIES or abs(s) >= SMALL * abs(instrumented)}  # fmt: skip
    if max(map(abs, changes.values()), default=0.0) < SMALL * abs(instrumented):
        return []
    ranked = sorted(changes, key=lambda name: changes[name], reverse=timed > 0)
    parts = listed(f"{name} {_signed(changes[name])}" for name in ranked)
    return [
        f"{where}, an instrumented step takes {_signed(instrumented)}, a timed one "
        f"{_signed(timed)}: {parts}."
    ]


def _optimizers(few: MeasuredCase, many: MeasuredCase, timed_s: float) -> list[str]:
    """Say what the optimizer gained, where that is as much as half of the gain of timed steps."""
    before, after = (max(use.optimizer_s for use in time_use(r)) for r in (few, many))
    if timed_s >= 0 or before - after < -timed_s * LEAST_ALIKE:
        return []
    return [
        f"From {few.case.gpus} to {many.case.gpus} GPUs, {OPTIMIZER} falls from {seconds(before)} "
        f"to {seconds(after)} in instrumented steps: that is most of the {seconds(-timed_s)} by "
        "which a timed step falls."
    ]


def _whole(result: MeasuredCase) -> float:
    return time_use(result)[0].step_s


def _changes(few: MeasuredCase, many: MeasuredCase) -> dict[str, float]:
    """Return the change of each part of a step, in seconds; GPUs in turn count one after another.

    The optimizers begin together when backward is done, so the longest counts.
    """
    a, b = time_use(few), time_use(many)
    return {
        OPTIMIZER: max(use.optimizer_s for use in b) - max(use.optimizer_s for use in a),
        "forward of all layers": sum(u.forward_s for u in b) - sum(u.forward_s for u in a),
        "backward of all layers": sum(u.backward_s for u in b) - sum(u.backward_s for u in a),
        COPIES: (copies_s(many) or 0.0) - (copies_s(few) or 0.0),
    }


def _signed(change_s: float) -> str:
    return f"{seconds(abs(change_s))} {'more' if change_s > 0 else 'less'}"


def _side_by_side(result: MeasuredCase) -> list[str]:
    """Say that optimizers run at the same time, if their spans in a typical step overlap."""
    breakdown = result.measurement.breakdown
    spans = [s for s in breakdown.typical_step if s.kind == "optimizer"] if breakdown else []
    covered, end = 0.0, 0.0
    for span in sorted(spans, key=lambda span: span.start_s):
        covered += max(0.0, span.end_s - max(span.start_s, end))
        end = max(end, span.end_s)
    total = sum(span.end_s - span.start_s for span in spans)
    if not total or covered > OVERLAP * total:
        return []
    return ["The GPUs update their layers side by side; all else they do one after another."]
