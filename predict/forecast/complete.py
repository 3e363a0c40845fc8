"""The share of what a case takes that a calibration of its model has measured."""

from collections.abc import Iterator

from study.case import Case, given
from study.results.result import Result
from study.schedules import IN_TWO_PARTS, SCHEDULES
from study.values.calibrates import parse_calibrates


def completeness(case: Case, result: Result) -> tuple[bool, bool]:
    """Return whether a calibration measured all that a case takes, and was asked for it.

    Of two that fit, the one that compares as larger is to be taken. Nothing is refused for it:
    what has no weights, for one, has no gradients of them.

    Args:
        case: to be predicted.
        result: of a calibration of its model, which has not failed.
    """
    return all(_found(case, result)), all(_asked(case, result))


def _found(case: Case, result: Result) -> Iterator[bool]:
    """Yield whether each of the things that a case takes was measured."""
    assert result.calibration is not None, "it has not failed"
    its, schedule = result.calibration, SCHEDULES[case.schedule]
    if result.case.gpus > 1:
        yield bool(its.collectives if schedule.is_on_all_gpus else its.messages)
        of_pipelines = {(run.schedule, run.gradients) for run in its.host}
        runs = of_pipelines if schedule.is_pipeline else {run[:1] for run in of_pipelines}
        yield ((case.schedule, case.gradients)[: 1 + schedule.is_pipeline]) in runs
        return
    rows = case.batch_size // case.parts
    mine = [t for t in its.layers if t.rows == rows]
    yield any(t.gradients == case.gradients and t.action != "forward" for t in mine)
    yield case.schedule not in IN_TWO_PARTS or any(t.action == "weight_later" for t in mine)
    is_split = schedule.family == "tensor" and case.gpus > 1
    yield not is_split or any(t.shares == case.gpus for t in mine)


def _asked(case: Case, result: Result) -> Iterator[bool]:
    """Yield whether each of the things that a case takes was asked for."""
    wanted = parse_calibrates(given(result.case.calibrates), "its case")
    yield case.schedule in wanted.schedules
    if case.schedule in wanted.schedules:
        yield case.gradients in wanted.gradients_under(case.schedule)
    if result.case.gpus == 1 and SCHEDULES[case.schedule].family == "tensor" and case.gpus > 1:
        yield case.gpus in wanted.shares
