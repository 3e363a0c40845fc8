"""The plan: which cases to run, which to leave out, and why."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import takewhile
from typing import Any

from jobs.profile import Profile
from jobs.slurm.bad_nodes import NO_BAD_NODES, BadNodes, failed_node
from jobs.slurm.layout import nodes_of, why_impossible
from jobs.status.case_status import Observation
from jobs.status.tracker import View
from study.case import Case
from study.errors import ConfigError
from study.grid import Grid
from study.outcome import RETRIED, UNTRIED, Outcome
from study.results.file import ResultError, read_result
from study.storage.ledger import Attempt
from study.storage.store import Store

HAS_RESULT = "has a result"


@dataclass(frozen=True)
class Choice:
    """Which cases that have ended run again.

    Attributes:
        force: all of them.
        only: those of these outcomes, and no other case; None is no such choice.
        retries: how many more times a node failure or a time-out is tried.
        by_itself: nobody chose these cases now; so the number of retries holds, whatever the rest.
    """

    force: bool = False
    only: frozenset[Outcome] | None = None
    retries: int = 0
    by_itself: bool = False

    @property
    def is_made(self) -> bool:
        """Whether there is any."""
        return self.force or self.only is not None or self.retries > 0


@dataclass(frozen=True)
class Item:
    """A case of the plan. `left_out` says why it will not run; None means it will.

    Attributes:
        failed: it has ended, and not well.
        number: which attempt at its case the next job is, from 1.
        previous: how its last attempt ended, if there was one and it runs again.
        exclude: nodes that failed it, joined by commas; its next job leaves them out.
        replaces: the job that Slurm holds for ever, to be cancelled first.
        trace: its job is to write a trace beside the result.
    """

    case: Case
    grid: str
    overrides: dict[str, Any] = field(default_factory=dict)
    left_out: str | None = None
    failed: bool = False
    number: int = 1
    previous: Outcome | None = None
    exclude: str = ""
    replaces: str | None = None
    trace: bool = False


def make_plan(
    grids: list[Grid],
    overrides: dict[str, Any],
    profile: Profile,
    store: Store,
    view: View,
    choice: Choice,
    bad: BadNodes = NO_BAD_NODES,
) -> list[Item]:
    """Return every case of the grids once, checked against what the profile's machines can run.

    Args:
        bad: nodes that no job is to get which others can run.
    """
    items: dict[Case, Item] = {}
    for grid in grids:
        for case in grid.cases():
            check_possible(case, profile, grid)
            if case not in items:
                avoided = bad.avoided_by(nodes_of(case, profile.gpus_per_node))
                verdict = _verdict(case, store, view, choice, avoided)
                number = 1 + max(
                    (a.submission.number for a in view.attempts.get(case.case_id, [])), default=0
                )
                items[case] = Item(
                    case=case, grid=grid.name, overrides=overrides, number=number, **verdict
                )
            if grid.trace:
                items[case] = _traced(items[case], store)
    return list(items.values())


def _traced(item: Item, store: Store) -> Item:
    """The item with a trace to write; a result without one is no reason to measure again."""
    left_out = item.left_out
    if left_out == HAS_RESULT and not store.trace_path(item.case).exists():
        left_out += ", but no trace; --force measures again, with one"
    return replace(item, trace=True, left_out=left_out)


def check_possible(case: Case, profile: Profile, grid: Grid) -> None:
    """Refuse a case that this profile's machines can never run."""
    if (problem := why_impossible(case, profile.gpus_per_node)) is not None:
        raise ConfigError(grid.source, f"{problem} ({profile.source})")
    if profile.device == "cpu" and case.dtype == "tf32":
        raise ConfigError(
            grid.source, f"dtype: tf32 needs a GPU, and {profile.source} has device: cpu"
        )
    if profile.device == "cpu" and case.execution == "cuda_graph":
        raise ConfigError(
            grid.source, f"execution: cuda_graph needs a GPU; {profile.source} has device: cpu"
        )


def _verdict(
    case: Case, store: Store, view: View, choice: Choice, bad_nodes: Sequence[str]
) -> dict[str, Any]:
    """The fields of the case's item beside the case itself."""
    seen = view.observations.get(case.case_id)
    attempts = view.attempts.get(case.case_id, [])
    outcome, why = _standing(case, store, seen)
    failed = outcome not in (None, "ok")
    # A job that failed after the case had been measured can be asked for, too.
    ended = {outcome, seen.outcome if seen is not None else None}
    if seen is not None and seen.is_live:
        exclude = _nodes_to_leave_out(attempts, choice, bad_nodes)
        held = {"replaces": seen.submission.job_id, "previous": outcome, "exclude": exclude}
        # This Slurm itself will not start it, so a new job is no second one.
        is_held = failed and seen.is_stuck and seen.is_marked and seen.state == "PENDING"
        if is_held and choice.is_made and _wanted(outcome, why, attempts, choice, ended) is None:
            return held
        return {"left_out": _living(seen), "failed": failed}
    left_out = _wanted(outcome, why, attempts, choice, ended)
    if left_out is not None:
        return {"left_out": left_out, "failed": failed}
    previous = outcome if seen is None or seen.outcome is None else seen.outcome
    return {"exclude": _nodes_to_leave_out(attempts, choice, bad_nodes), "previous": previous}


def _standing(case: Case, store: Store, seen: Observation | None) -> tuple[Outcome | None, str]:
    """The case's outcome, from its result file if it has one, and the file if it is none."""
    path = store.result_path(case)
    try:
        return read_result(path).outcome, ""
    except FileNotFoundError:
        return (None, "") if seen is None else (seen.outcome, "")
    except ResultError as error:
        return "error", f"{path} {error}"
    except OSError as error:
        return "error", f"{path} cannot be read: {error.strerror}"


def _wanted(
    outcome: Outcome | None,
    why: str,
    attempts: list[Attempt],
    choice: Choice,
    ended: set[Outcome | None],
) -> str | None:
    """Return None if a case that is not live is to run, else why not.

    Args:
        ended: the case's outcome, and how its last job ended.
    """
    if choice.only is not None and not choice.only & ended:
        return f"not asked for: {'has no outcome' if outcome is None else outcome}"
    tries = len(_failures(attempts))
    is_chosen = (choice.force or choice.only is not None) and not choice.by_itself
    for retried in ended & RETRIED if 0 < choice.retries < tries and not is_chosen else ():
        return f"{retried}, {tries} times now: --retries {choice.retries} is used up; raise it"
    if choice.force or choice.only is not None or outcome is None:
        return None
    if outcome == "ok":
        return HAS_RESULT
    if choice.retries and outcome in RETRIED:
        return None
    if outcome in UNTRIED:
        return None
    return f"{why}; --force replaces it" if why else _again(outcome)


def _again(outcome: Outcome) -> str:
    return f"has failed ({outcome}); --only {outcome} or --force runs it again"


def _living(seen: Observation) -> str:
    reason = f" ({seen.reason})" if seen.reason else ""
    return f"job {seen.submission.job_id} is {seen.state or 'not known to have ended'}{reason}"


def _failures(attempts: list[Attempt]) -> list[Attempt]:
    """The attempts since the last one that did not end as a node failure or a time-out."""
    newest_first = reversed(attempts)
    return list(takewhile(lambda a: a.ended is None or a.ended.outcome in RETRIED, newest_first))


def _nodes_to_leave_out(attempts: list[Attempt], choice: Choice, bad_nodes: Sequence[str]) -> str:
    """Return those that failed this very case, where it is retried, and those that fail all."""
    failures = _failures(attempts) if choice.retries else []
    nodes = {node for attempt in failures if (node := failed_node(attempt.ended)) is not None}
    return ",".join(sorted(nodes | set(bad_nodes)))


def gpu_hours(items: list[Item], timeout_min: int) -> float:
    """What the jobs cost if each runs into its time limit."""
    return sum(item.case.gpus for item in items) * timeout_min / 60


def to_run(items: list[Item]) -> list[Item]:
    """The items that are not left out."""
    return [item for item in items if item.left_out is None]
