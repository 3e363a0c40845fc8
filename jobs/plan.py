"""Decide which cases run and which are left out, and why."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from typing import Any

from jobs.executor import Executor
from jobs.planned import PlannedCase
from jobs.status.bad_nodes import NO_BAD_NODES, BadNodes, failed_node
from jobs.status.case_status import CaseStatus, Snapshot
from study.case import Case
from study.errors import ConfigError
from study.grids.grid import Grid
from study.outcome import RETRIED, UNTRIED, Outcome
from study.storage.ledger import Attempt
from study.storage.store import Store

HAS_RESULT = "has a result"


@dataclass(frozen=True)
class RerunPolicy:
    """The cases that run again though they have ended.

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
        """True if any case can be chosen by it."""
        return self.force or self.only is not None or self.retries > 0


def make_plan(
    grids: list[Grid],
    overrides: dict[str, Any],
    executor: Executor,
    snapshot: Snapshot,
    policy: RerunPolicy,
    bad: BadNodes = NO_BAD_NODES,
) -> list[PlannedCase]:
    """Return every case of the grids once, checked against what the executor can run.

    Args:
        grids: they name the cases.
        overrides: the `--set` values of the grids.
        executor: what will run the cases, and the folder of their results.
        snapshot: the status of all cases of that folder.
        policy: which cases that have ended run again.
        bad: nodes that no job is to get which others can run.

    Raises:
        ConfigError: the executor's machines can never run a case, or a factory's file is gone.
    """
    planned: dict[Case, PlannedCase] = {}
    for grid in grids:
        grid.check_file()
        for case in grid.cases():
            _check_possible(case, executor, grid)
            if case not in planned:
                tried = snapshot.attempts.get(case.case_id, [])
                number = 1 + max((a.submission.number for a in tried), default=0)
                avoided = bad.avoided_by(executor.nodes_of(case))
                decision = _rerun_decision(case, executor.store, snapshot, policy, avoided)
                planned[case] = PlannedCase(case, grid.name, overrides, number=number, **decision)
            if grid.trace:
                planned[case] = _traced(planned[case], executor.store)
    return list(planned.values())


def _traced(planned: PlannedCase, store: Store) -> PlannedCase:
    """Return the case with a trace to write; a missing trace is no reason to measure again."""
    left_out = planned.left_out
    if left_out == HAS_RESULT and not store.trace_path(planned.case).exists():
        left_out += ", but no trace; --force measures again, with one"
    return replace(planned, trace=True, left_out=left_out)


def _check_possible(case: Case, executor: Executor, grid: Grid) -> None:
    """Refuse a case that this profile's machines can never run."""
    if (problem := executor.why_never(case)) is not None:
        raise ConfigError(grid.blamed, problem)


def _rerun_decision(
    case: Case, store: Store, snapshot: Snapshot, policy: RerunPolicy, bad_nodes: Sequence[str]
) -> dict[str, Any]:
    """Return the fields of the planned case that say whether it runs, and how."""
    seen = snapshot.statuses.get(case.case_id)
    attempts = snapshot.attempts.get(case.case_id, [])
    outcome, why = _outcome_of(case, store, snapshot, seen)
    failed = outcome not in (None, "ok")
    # A job that failed after the case had been measured can be asked for, too.
    ended = {outcome, seen.outcome if seen is not None else None}
    if seen is not None and seen.is_live:
        exclude = _nodes_to_leave_out(attempts, policy, bad_nodes)
        held = {"replaces": seen.submission.job_id, "previous": outcome, "exclude": exclude}
        # This Slurm itself will not start it, so a new job is no second one.
        is_held = failed and seen.is_stuck and seen.is_marked and seen.state == "PENDING"
        if is_held and policy.is_made and _wanted(outcome, why, attempts, policy, ended) is None:
            return held
        return {"left_out": _living(seen), "failed": failed}
    left_out = _wanted(outcome, why, attempts, policy, ended)
    if left_out is not None:
        return {"left_out": left_out, "failed": failed}
    previous = outcome if seen is None or seen.outcome is None else seen.outcome
    return {"exclude": _nodes_to_leave_out(attempts, policy, bad_nodes), "previous": previous}


def _outcome_of(
    case: Case, store: Store, snapshot: Snapshot, seen: CaseStatus | None
) -> tuple[Outcome | None, str]:
    """Return the case's outcome, by its result file if it has one, and why that is no result."""
    path = store.result_path(case)
    head = snapshot.results.head_of(path)
    if head is None:
        return (None, "") if seen is None else (seen.outcome, "")
    return head.outcome, f"{path} {head.problem}" if head.problem else ""


def _wanted(
    outcome: Outcome | None,
    why: str,
    attempts: list[Attempt],
    policy: RerunPolicy,
    ended: set[Outcome | None],
) -> str | None:
    """Return None if a case that is not live is to run, else why not.

    `ended` has the case's outcome and that of its last job.
    """
    if policy.only is not None and not policy.only & ended:
        return f"not asked for: {'has no outcome' if outcome is None else outcome}"
    tries = len(_failures(attempts))
    is_chosen = (policy.force or policy.only is not None) and not policy.by_itself
    for retried in ended & RETRIED if 0 < policy.retries < tries and not is_chosen else ():
        return f"{retried}, {tries} times now: --retries {policy.retries} is used up; raise it"
    if policy.force or policy.only is not None or outcome is None:
        return None
    if outcome == "ok":
        return HAS_RESULT
    if policy.retries and outcome in RETRIED:
        return None
    if outcome in UNTRIED:
        return None
    return f"{why}; --force replaces it" if why else _again(outcome)


def _again(outcome: Outcome) -> str:
    return f"has failed ({outcome}); --only {outcome} or --force runs it again"


def _living(seen: CaseStatus) -> str:
    reason = f" ({seen.reason})" if seen.reason else ""
    return f"job {seen.submission.job_id} is {seen.state or 'not known to have ended'}{reason}"


def _failures(attempts: list[Attempt]) -> list[Attempt]:
    """Return the attempts since the last one that did not end as a node failure or a time-out."""
    newest_first = reversed(attempts)
    return list(takewhile(lambda a: a.ended is None or a.ended.outcome in RETRIED, newest_first))


def _nodes_to_leave_out(
    attempts: list[Attempt], policy: RerunPolicy, bad_nodes: Sequence[str]
) -> str:
    """Return the nodes that failed this very case, if it is retried, and those that fail all."""
    failures = _failures(attempts) if policy.retries else []
    nodes = {node for attempt in failures if (node := failed_node(attempt.ended)) is not None}
    return ",".join(sorted(nodes | set(bad_nodes)))
