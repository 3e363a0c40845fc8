"""Find what would be refused of a model: by its contract, its check, or the rules of schedules."""

import sys
from contextlib import redirect_stdout
from itertools import product

import msgspec

from mp.correctness.check import check_equals_unsplit
from mp.engine import Communicator
from mp.hardware.devices import choose_devices
from mp.single.engine import SingleEngine
from study.case import Case
from study.errors import CaseError, ConfigError
from study.schedules import SCHEDULES, has_key
from study.validation import check_together
from study.values.gradients import gradients_under

GPUS = (1, 2, 4, 8)


def find_refusals(case: Case) -> tuple[list[str], list[str]]:
    """Return in words what is refused of the model of a case, and why, then notes of its check."""
    found, notes = _by_check(case)
    where: dict[str, list[tuple[int, str]]] = {}
    for gpus, schedule in product(GPUS, SCHEDULES):
        if (why := _by_rules(case, gpus, schedule)) is not None:
            where.setdefault(why, []).append((gpus, schedule))
    return [*found, *(f"{_in_words(pairs)}: {why}" for why, pairs in where.items())], notes


def _in_words(pairs: list[tuple[int, str]]) -> str:
    """Return e.g. "zbv on 4 and 8 GPUs" of numbers of GPUs and schedules."""
    gpus = sorted({count for count, _ in pairs})
    schedules = list(dict.fromkeys(schedule for _, schedule in pairs))
    who = ", ".join(schedules) if len(schedules) < len(SCHEDULES) else "every schedule"
    if len(gpus) == len(GPUS):
        return who
    return f"{who} on {' and '.join(map(str, gpus))} GPU{'s' * (gpus != [1])}"


def _by_check(case: Case) -> tuple[list[str], list[str]]:
    """Compare a small model with the unsplit one, on one GPU and then on two emulated ones."""
    notes: dict[str, None] = {}
    for gpus, where in ((1, "every case"), (2, "naive on several GPUs")):
        if gpus <= case.layers:
            why, told = _checked_on(case, gpus)
            notes |= dict.fromkeys(told)
            if why is not None:
                return [f"{where}: {why}"], list(notes)
    return [], list(notes)


def _checked_on(case: Case, gpus: int) -> tuple[str | None, tuple[str, ...]]:
    """Return the problem that the check finds, and its notes."""
    split = msgspec.structs.replace(
        case, gpus=gpus, schedule="naive", micro_batches=1, balance="layers", data_parallel=1
    )
    try:
        with redirect_stdout(sys.stderr):
            engine = SingleEngine(split, Communicator(choose_devices(gpus, "cpu")))
            return None, check_equals_unsplit(engine)
    except CaseError as error:
        return str(error), ()
    except Exception as error:
        return f"its training step raises {type(error).__name__}: {error}", ()


def _by_rules(case: Case, gpus: int, schedule: str) -> str | None:
    micro_batches = micro_batches_of(case, gpus) if has_key("micro_batches", schedule) else 1
    tried = msgspec.structs.replace(
        case,
        gpus=gpus,
        schedule=schedule,
        micro_batches=micro_batches,
        balance="layers",
        gradients=gradients_under(case, schedule),
        data_parallel=case.data_parallel if has_key("data_parallel", schedule) else 1,
    )
    try:
        check_together(tried, "")
    except ConfigError as error:
        return str(error).removeprefix(":").strip()
    return None


def micro_batches_of(case: Case, gpus: int) -> int:
    """Return the case's micro-batches, or about twice as many as a pipeline has GPUs.

    They divide a replica's share of the batch.
    """
    if case.micro_batches > 1:
        return case.micro_batches
    rows, stages = max(1, case.batch_size // case.data_parallel), max(1, gpus // case.data_parallel)
    fits = [m for m in range(1, min(rows, 4 * stages) + 1) if rows % m == 0]
    return min(fits, key=lambda m: (abs(m - 2 * stages), m))
