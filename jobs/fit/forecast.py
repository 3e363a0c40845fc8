"""The fit of every case of a plan, in words, and the refusal of what cannot fit."""

from collections import Counter
from collections.abc import Callable, Sequence

from jobs.fit.calibrated import calibrated_beside
from jobs.fit.left_out import how_to_leave_out
from jobs.fit.measured import MeasuredLayers
from jobs.planned import PlannedCase
from predict.memory.beside import Beside
from predict.memory.fit import Answer, Fits, in_gib
from predict.memory.gpu_size import GpuSize
from predict.memory.instead import what_would_fit
from predict.memory.kinds.of_case import layers_of
from study.case import Case
from study.errors import ConfigError
from study.grids.grid import Grid
from study.storage.store import Store

UNKNOWN_SIZE = (
    "Memory of the fullest GPU: compared with nothing, since the size of a GPU is not known here; "
    "gpu_memory_gb in cluster.yaml gives it."
)
# Of a GPU that is no H100 or H200.
ELSEWHERE = (
    "What CUDA and NCCL take besides tensors was measured on H100s and H200s; of this GPU it is a "
    "guess, so only tensors count for cannot fit, less a tenth."
)
OF_CALIBRATION = (
    "What CUDA and NCCL take besides tensors was measured on H100s and H200s; for cannot fit what "
    "this folder's calibrations found counts, and tensors less a tenth."
)


def make_fits(
    size: GpuSize | None,
    store: Store,
    cuts_of: Callable[[Case], Sequence[Sequence[int]]] = lambda case: (),
    *,
    is_emulated: bool = False,
) -> Fits:
    """Return what follows the cases of a plan.

    Args:
        size: of a GPU that they are to get; None if unknown.
        store: the folder of results, which may have measured layers of models of one's own.
        cuts_of: returns the cuts into stages that a job may make by time, as calibrations tell.
        is_emulated: whether they get none.
    """
    measured = MeasuredLayers(store)
    return Fits(
        size,
        lambda case: layers_of(case) or measured.of(case),
        cuts_of,
        note="" if is_emulated else UNKNOWN_SIZE,
        beside=Beside(size, calibrated_beside(store, size)),
    )


def fit_lines(planned: Sequence[PlannedCase], fits: Fits) -> list[str]:
    """Return what is said below a plan: how many cases fit, and why others are unknown.

    Args:
        planned: its cases.
        fits: of the cases.
    """
    found = [fit for each in planned if (fit := fits.of(each.case)) is not None]
    if not found:
        return []
    unknown = Counter(fit.unknown for fit in found if fit.unknown)
    lines = [f"Memory unknown: {why} ({_cases(count)})." for why, count in unknown.items()]
    if not any(fit.at_least for fit in found):
        return lines
    if fits.size is None:
        return [fits.note, *lines] if fits.note else lines
    answers = Counter(fit.answer for fit in found if fit.answer)
    counts = ", ".join(f"{count} {_plural(answer, count)}" for answer, count in answers.items())
    beside = _beside_line(fits)
    return [f"Memory of the fullest GPU against {fits.size}: {counts}.", *beside, *lines]


def _beside_line(fits: Fits) -> list[str]:
    """Return what a plan says where CUDA and NCCL may take other memory than on H100s."""
    if fits.beside is None or fits.beside.is_measured:
        return []
    return [OF_CALIBRATION if fits.beside.calibrated else ELSEWHERE]


def _plural(answer: Answer, count: int) -> str:
    return "fit" if answer == "fits" and count > 1 else answer


def _cases(count: int) -> str:
    return "1 case" if count == 1 else f"{count} cases"


def refuse_what_cannot_fit(
    to_run: Sequence[PlannedCase],
    fits: Fits,
    why_not: Callable[[Case], str | None],
    grids: Sequence[Grid] = (),
) -> None:
    """Refuse a plan with cases that cannot fit a GPU.

    Args:
        to_run: cases that are to run.
        fits: of the cases.
        why_not: returns why a case can never run there; None if it can.
        grids: of the cases.

    Raises:
        ConfigError: it names the first such case, what would fit, and how to leave such cases out.
    """
    too_large = [each for each in to_run if _cannot_fit(each.case, fits)]
    if not too_large:
        return
    first = too_large[0]
    instead = what_would_fit(
        first.case,
        lambda case: None if (fit := fits.of(case)) is None else fit.answer,
        lambda case: why_not(case) is None,
    )
    others = f", nor can {len(too_large) - 1} more" if len(too_large) > 1 else ""
    would = f"{instead} would fit" if instead else "no more GPUs or micro-batches would do"
    cases = [each.case for each in to_run]
    without = how_to_leave_out(grids, cases, [each.case for each in too_large])
    raise ConfigError(
        first.grid,
        f"{first.case.case_id} cannot fit{others}: {_needs(first.case, fits)}; {would}; "
        f"{without}{'; ' if without else ''}nothing was submitted; --force submits it all the same",
    )


def _cannot_fit(case: Case, fits: Fits) -> bool:
    fit = fits.of(case)
    return fit is not None and fit.answer == "cannot fit"


def _needs(case: Case, fits: Fits) -> str:
    """Return what the fullest GPU would need, and what it has."""
    fit = fits.of(case)
    assert fit is not None
    if fit.peak is None:
        return f"a GPU would need {in_gib(fit.at_least)} and more, and has {fits.size}"
    tensors = f"{in_gib(fit.peak.allocated)} for tensors"
    needs = f"{tensors} and {in_gib(fit.beside)} for CUDA and NCCL" if fit.beside else tensors
    return f"GPU {fit.peak.gpu} would need {needs}, and has {fits.size}"
