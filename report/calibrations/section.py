"""The section of a profile's calibrations: where and when each was measured, and what it found."""

from contextlib import suppress
from datetime import datetime

from report.calibrations import tables
from report.data.clocks import FAULTS, reason_words
from report.data.rows import Row
from report.data.selection import GridTable
from report.document import Answer, Details, Section, Table, only_known
from report.wording.hardware import hardware
from report.wording.units import UNKNOWN, count_of, number, seconds
from study.case import Case, given
from study.errors import ConfigError
from study.results.calibration.record import Calibration
from study.results.environment import Environment
from study.results.result import Result
from study.text import one_line
from study.values.calibrates import parse_calibrates
from study.values.description import model_words

COLUMNS = ("calibration", "of", "GPUs", "nodes", "hardware", "power limit", "host", "driver",
           "torch", "NCCL", "measured", "took", "result")  # fmt: skip
NOTHING = "No calibration has been measured; submit.py --grid calibration --for GRID does."


def make_section(grid_table: GridTable) -> Section:
    """Return all that the calibrations of a profile say."""
    jobs = [job for row in grid_table.rows for job in row.jobs]
    found = [(job.result, its) for job in jobs if job.result and (its := job.result.calibration)]
    made = [only_known(make(found)) for make in tables.TABLES] if found else []
    return Section(
        title=grid_table.grid.title,
        facts=_facts([result for result, _ in found]),
        answers=[Answer("", _cautions(found) if found else [NOTHING])],
        table=Table(COLUMNS, [_row(job) for job in jobs]),
        details=Details(tables=[table for table in made if table.rows]),
    )


def _facts(results: list[Result]) -> list[str]:
    emulated = [result for result in results if result.emulated]
    if not emulated:
        return []
    count = count_of(len(emulated), "calibration")
    return [f"{count} ran without GPUs, emulated: no step on GPUs follows from that."]


def _cautions(found: list[tuple[Result, Calibration]]) -> list[str]:
    """Return what limits the calibrations: what is missing, and GPUs that slowed down by heat."""
    sentences = []
    for result, its in found:
        sentences += [f"{result.case_id}: {one_line(words)}" for words in its.left_out]
        reasons = {reason for load in its.under_load for reason in load.throttle_reasons or ()}
        hot = sorted({*map(reason_words, reasons)} & {*FAULTS})
        if hot:
            sentences.append(f"{result.case_id}: the GPU was slowed down by {', '.join(hot)}.")
    return sentences or ["All that was asked for was measured."]


def _row(job: Row) -> list[str]:
    case, result = job.case, job.result
    environment = None if result is None else result.environment
    its = None if result is None else result.calibration
    ended = None if result is None else datetime.fromisoformat(result.job.finished_at)
    return [
        case.case_id,
        _model(case),
        str(case.gpus),
        str(case.least_nodes if its is None else its.nodes),
        UNKNOWN if environment is None else one_line(hardware(environment)),
        *_machine(environment),
        UNKNOWN if ended is None else f"{ended:%Y-%m-%d %H:%M} UTC",
        UNKNOWN if its is None else seconds(its.measuring_s),
        _outcome(job, its),
    ]


def _model(case: Case) -> str:
    """Return the model, how it is trained, and the sizes of micro-batches."""
    sizes = [f"dim {case.dim}"] if case.has_key("dim") else []
    sizes += ["layers recomputed"] if case.recompute == "layers" else []
    with suppress(ConfigError):  # which only a case that never ran can raise
        rows = parse_calibrates(given(case.calibrates), case.case_id).rows
        sizes.append(f"micro-batches of {', '.join(map(str, rows))} rows")
    return ", ".join([model_words(case), case.dtype, case.optimizer, *sizes])


def _machine(environment: Environment | None) -> list[str]:
    """Return power limit, host, driver, torch and NCCL."""
    if environment is None:
        return [UNKNOWN] * 5
    limits = sorted({gpu.power_limit_w for gpu in environment.gpus if gpu.power_limit_w})
    words = (environment.host, environment.driver, environment.torch, environment.nccl)
    return [
        " and ".join(f"{number(limit)} W" for limit in limits) or UNKNOWN,
        *(UNKNOWN if word is None else one_line(word) for word in words),
    ]


def _outcome(job: Row, its: Calibration | None) -> str:
    if its is None:
        return job.reason or UNKNOWN
    return "ok" if its.is_whole else f"ok, {count_of(len(its.left_out), 'part')} left out"
