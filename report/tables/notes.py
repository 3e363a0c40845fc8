"""Notes on rows: what to know of their numbers before citing them, as letters and lines below."""

from collections.abc import Callable, Iterator, Sequence
from string import ascii_lowercase

from report.analysis.step_time import step_time
from report.analysis.time_use import (
    LIKE_GRAPH,
    MAX_INSTRUMENTATION_COST,
    UNLIKE,
    instrumentation_cost,
    is_unlike_graph,
    plain_longer_than_timed,
    plain_steps_s,
    time_use,
)
from report.analysis.verdicts.disturbances import (
    FEW_STEPS,
    has_few_steps,
    is_unsteady,
    may_be_unsteady,
    shared_hosts,
)
from report.data.clocks import CAPPED, are_unknown, clocks, faults
from report.data.measured import MeasuredCase
from report.data.rows import Row
from report.wording.units import count_of

LIMITS = {"time_limit": "time limit", "steps": "limit of steps"}


def letters(notes: Sequence[Sequence[str] | None]) -> tuple[list[str], list[str]]:
    """Return the letters of each row, as `a, c`, and the lines that explain them.

    A note on all rows is a line without a letter.

    Args:
        notes: The notes on each row; None for a row that cannot have any.
    """
    able = [set(found) for found in notes if found is not None]
    everywhere = set.intersection(*able) if able else set()
    others = dict.fromkeys(n for found in notes for n in found or () if n not in everywhere)
    of_note = {note: _letter(at) for at, note in enumerate(others)}
    marks = [", ".join(of_note[n] for n in others if n in set(found or ())) for found in notes]
    shared = dict.fromkeys(n for found in notes for n in found or () if n in everywhere)
    return marks, [*shared, *(f"{mark}  {note}" for note, mark in of_note.items())]


def _letter(at: int) -> str:
    """Return a to z, then aa, ab and so on."""
    round_, place = divmod(at, len(ascii_lowercase))
    return (_letter(round_ - 1) if round_ else "") + ascii_lowercase[place]


def notes_on(row: Row, *, timed: bool) -> list[str] | None:
    """Return the notes on a row, each a sentence that other rows may share; None if not measured.

    Args:
        row: The case, with its repeats.
        timed: The table shows step times, so that notes on timing belong below it.
    """
    if row.measured is None:
        return None
    parts: tuple[Callable[[MeasuredCase], Iterator[str]], ...] = (
        (_convergence, _warm_up, _instrumentation, _graph, _clocks, _neighbours, _nodes)
        if timed
        else ()
    )
    if row.measured.program is not None:
        parts = (_program, _clocks, _neighbours) if timed else ()
    return [*(note for part in parts for note in part(row.measured)), *_jobs(row)]


def _convergence(result: MeasuredCase) -> Iterator[str]:
    measurements = [job.measurement for job in result.jobs]
    target = result.case.ci_half_width
    early = [m.stopped_by for m in measurements if not m.converged]
    if not early or not target or step_time(result).interval is None:
        return
    limits = " or ".join(sorted({LIMITS.get(stop, stop) for stop in early}))
    if result.repeats:
        yield (
            f"The interval of {len(early)} of {len(measurements)} jobs is wider than "
            f"±{100 * target:g} %: they ended by their {limits}."
        )
    else:
        yield f"The interval is wider than ±{100 * target:g} %: the run ended by its {limits}."


def _warm_up(result: MeasuredCase) -> Iterator[str]:
    if is_unsteady(result):
        yield "The warm-up was not steady."
    elif may_be_unsteady(result):
        yield "The warm-up was too short to tell whether it was steady."
    if has_few_steps(result):
        yield f"There are fewer than {FEW_STEPS} timed steps."


def _program(result: MeasuredCase) -> Iterator[str]:
    """Note where the figure of a program is from."""
    if result.program is not None and not result.program.tells_steps:
        yield (
            "The step time is the wall time of the whole run, start-up included, since the program "
            "said no steps."
        )
    elif has_few_steps(result):
        yield f"There are fewer than {FEW_STEPS} steps."


def _instrumentation(result: MeasuredCase) -> Iterator[str]:
    """Note instrumented steps unlike plain ones, and before that plain steps unlike one another."""
    cost, drift = instrumentation_cost(result), plain_longer_than_timed(result)
    if drift is not None and abs(drift) > UNLIKE:
        yield (
            f"The plain steps between instrumented ones took over {100 * UNLIKE:g} % "
            f"{_longer(drift)} than timed ones: the parts of instrumented steps may not be those "
            "of a timed one."
        )
    elif cost is not None and abs(cost) > MAX_INSTRUMENTATION_COST:
        others = "timed ones" if plain_steps_s(result) is None else "the plain steps between them"
        yield (
            f"Instrumented steps took over {100 * MAX_INSTRUMENTATION_COST:g} % {_longer(cost)} "
            f"than {others}: their parts are not those of a step."
        )


def _longer(share: float) -> str:
    return "longer" if share > 0 else "less time"


def _graph(result: MeasuredCase) -> Iterator[str]:
    """Note which numbers of a graph's row are not the graph's."""
    if result.case.execution != "cuda_graph" or not time_use(result):
        return
    if is_unlike_graph(result):
        yield (
            "The step is one CUDA graph, and has no bubble here: instrumented steps are eager, and "
            f"their times differ from the graph's by over {100 * LIKE_GRAPH:g} %."
        )
    else:
        yield (
            "The step is one CUDA graph; bubble, waits and shares come from instrumented steps, "
            "which are eager."
        )


def _clocks(result: MeasuredCase) -> Iterator[str]:
    """Note what slowed a GPU; the clocks themselves differ from row to row: they are details."""
    low = [gpu for gpu in clocks(result) if gpu.is_low]
    causes = dict.fromkeys(reason for gpu in low for reason in gpu.reasons)
    if low:
        why = f" ({', '.join(causes)})" if causes else ""
        yield f"A GPU's clock was below {100 * CAPPED:g} % of its highest{why}."
    if others := [reason for reason in faults(result) if reason not in causes]:
        yield f"A GPU was throttled: {', '.join(others)}."
    if are_unknown(result):
        yield "Clocks and throttling are unknown."


def _neighbours(result: MeasuredCase) -> Iterator[str]:
    if hosts := shared_hosts(result):
        yield f"Another job ran on host {', '.join(hosts)} at the same time."


def _nodes(result: MeasuredCase) -> Iterator[str]:
    """Note that data passes between nodes, which takes longer than within one."""
    hosts = {rank.host for rank in result.environment.ranks}
    if len(hosts) > 1:
        yield f"The GPUs were on {len(hosts)} nodes."


def _jobs(row: Row) -> Iterator[str]:
    if row.missing:
        outcomes = " and ".join(sorted({r.outcome or "no result yet" for r in row.missing}))
        yield f"{len(row.missing)} of {len(row.jobs)} jobs are missing: {outcomes}."
    measured = row.measured
    used = 0 if measured is None else len(measured.jobs)
    others = len(row.jobs) - len(row.missing) - used
    if others:
        yield f"Left out: {count_of(others, 'job')} measured under other conditions."
