"""Sentences that say which cases to ask for, and under which condition that holds."""

from collections.abc import Sequence

from predict.forecast.best import LEFT_OUT, By, Candidate, choose, is_unsure
from predict.forecast.names import work_of
from predict.forecast.words import digits, percent, step_words
from predict.memory.gpu_size import GIB
from study.case import Case
from study.text import count_of

LISTED = 4  # cases of a set that a sentence names
_WHAT: dict[By, str] = {
    "time": "the shortest step",
    "gpu-hours": "the fewest GPU-hours",
    "memory": "the least memory",
}


def advise(candidates: Sequence[Candidate], by: By) -> tuple[list[Candidate], list[str]]:
    """Return the cases to choose and a sentence for each work: steps of another cannot be compared.

    Args:
        candidates: all predicted cases.
        by: what they are compared by.
    """
    of_work: dict[Case, list[Candidate]] = {}
    for each in candidates:
        of_work.setdefault(work_of(each.case), []).append(each)
    chosen, sentences = list[Candidate](), []
    for its in of_work.values():
        best, work = choose(its, by), its[0].work
        chosen += best
        text = sentence(best, its, by)
        sentences.append(f"{', '.join(work)}: {text[0].lower()}{text[1:]}" if work else text)
    return chosen, sentences


def sentence(chosen: Sequence[Candidate], candidates: Sequence[Candidate], by: By) -> str:
    """Return what to ask for, and under which condition it holds.

    Args:
        chosen: the best, and what cannot be told apart from it.
        candidates: all that were compared.
        by: what they were compared by.
    """
    if not chosen:
        why = _left_out(candidates, by) or ["No peak is known."]  # which only `memory` needs
        return " ".join([f"For {_WHAT[by]} no case can be named.", *why])
    best, names = chosen[0], list(dict.fromkeys(each.words for each in chosen))  # not each seed
    rest = len(names) - LISTED
    more = [f"{rest} more"] if rest > 0 else []
    ask = f"For {_WHAT[by]} ask for {_joined([*names[:LISTED], *more])}: {_figures(chosen, by)}."
    apart = f"These {len(names)} cannot be told apart by prediction." if len(names) > 1 else ""
    left_out = [*_left_out(candidates, by), *_maybe_better(best, candidates, by)]
    return " ".join(filter(None, (ask, apart, *_cautions(chosen, by), *left_out)))


def _figures(chosen: Sequence[Candidate], by: By) -> str:
    if by == "memory":
        peaks = [(each.prediction.fullest_bytes or 0) / GIB for each in chosen]
        return f"{_range(peaks, 1)} GiB on the fullest GPU predicted"
    steps = [each.prediction.step_s for each in chosen]
    words = f"{_range(steps, 1e3)} ms a step predicted"
    ups = [s for each in chosen if (s := _speed_up(each)) is not None]
    if len(ups) == len(chosen):
        words += f" ({_range(ups, 1)} times as fast as 1 GPU, {_shares(chosen)} efficiency)"
    if by == "gpu-hours":
        hours = [each.case.gpus * each.prediction.step_s / 3.6 for each in chosen]
        words += f", {_range(hours, 1)} GPU-hours for 1000 steps"
    peaks = [size / GIB for each in chosen if (size := each.prediction.fullest_bytes)]
    if len(peaks) == len(chosen):
        words += f", {_range(peaks, 1)} GiB on the fullest GPU"
    return words


def _speed_up(each: Candidate) -> float | None:
    one = each.prediction.one_gpu_s
    return None if one is None else one / each.prediction.step_s


def _shares(chosen: Sequence[Candidate]) -> str:
    shares = sorted((_speed_up(each) or 0.0) / each.case.gpus for each in chosen)
    low, high = percent(shares[0]), percent(shares[-1])
    return low if low == high else f"{low.removesuffix(' %')} to {high}"


def _range(values: Sequence[float], scale: float) -> str:
    low, high = digits(min(values) * scale), digits(max(values) * scale)
    return low if low == high else f"{low} to {high}"


def _joined(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"


def _cautions(chosen: Sequence[Candidate], by: By) -> list[str]:
    """Say of how many chosen cases it is not sure that they fit, were seen or are launched."""
    said = []
    if tight := [each for each in chosen if each.fit == "may not fit"]:
        said.append(f"{_which(tight, chosen)} may not fit.")
    if by == "memory":  # which no time says anything of
        return said
    beyond = [(each, label) for each in chosen for label in each.prediction.labels
              if label.startswith("extrapolated")]  # fmt: skip
    for label in dict.fromkeys(label for _, label in beyond):
        its = [each for each, other in beyond if other == label]
        is_one = len({each.words for each in its}) == 1
        said.append(f"{_which(its, chosen)} {'is' if is_one else 'are'} {label}.")
    unknown = [each for each in chosen if not each.is_launching_known]
    if unknown:
        which = _which(unknown, chosen)
        said.append(f"{which} may take longer: how long launching takes is not known.")
    return said


def _which(some: Sequence[Candidate], chosen: Sequence[Candidate]) -> str:
    names = {each.words for each in some}
    every = {each.words for each in chosen}
    if names == every:
        return "It" if len(every) == 1 else "All of them" if len(every) > 2 else "Both"
    return next(iter(names)) if len(names) == 1 else f"{len(names)} of them"


def _left_out(candidates: Sequence[Candidate], by: By) -> list[str]:
    """Say how many cases were not compared, and why."""
    bound = sum(each.prediction.is_launch_bound for each in candidates) if by != "memory" else 0
    unsure = sum(is_unsure(each, candidates, by) for each in candidates)
    large = sum(each.fit == "cannot fit" for each in candidates)
    never = sum(each.fit == "cannot run" for each in candidates)
    said = []
    if bound:
        said.append(f"{count_of(bound, 'launch-bound case')} could not be compared.")
    if unsure:
        why = "how long launching takes is not known"
        said.append(f"{count_of(unsure, 'case')} could not be compared: {why}.")
    if large:
        said.append(f"{count_of(large, 'case')} cannot fit.")
    if never:
        said.append(f"{count_of(never, 'case')} cannot run here.")
    return said


def _maybe_better(best: Candidate, candidates: Sequence[Candidate], by: By) -> list[str]:
    """Say of how many launch-bound cases their calibrated launching is less than the best takes.

    Args:
        best: the first of the chosen.
        candidates: all that were compared, and those that were not.
        by: what they were compared by.
    """
    if by == "memory":
        return []

    def cost(each: Candidate) -> float:
        return each.prediction.step_s * (each.case.gpus if by == "gpu-hours" else 1)

    bound = [each for each in candidates
             if each.prediction.is_launch_bound and each.fit not in LEFT_OUT]  # fmt: skip
    better = sorted((each for each in bound if cost(each) < cost(best)), key=cost)
    if not better:
        return []
    least, number = better[0], len(better)
    return [
        f"Launched as in the calibration, {count_of(number, 'launch-bound case')} would need less, "
        f"the least {least.words}: about {step_words(least.prediction.step_s)} a step."
    ]
