"""The check of a case before it is timed: its split against the unsplit model."""

import msgspec
import torch

from mp.correctness.differences import find_difference, gather_tensors
from mp.correctness.dropout import without_dropout
from mp.correctness.notes import DROPOUT, find_random, note_frozen, note_random, note_whole_batch
from mp.correctness.repeated import find_unrepeatable
from mp.correctness.unsplit import Unsplit, buffers_of, compute_unsplit
from mp.engine import Engine, S
from mp.hardware.precision import comparable_kernels
from mp.workload import Workload
from study.case import Case
from study.errors import CaseError
from study.schedules import SCHEDULES

EVERYWHERE = "FSDP needs it on all of them, so use schedule: ddp"
ROWS = 4  # of a micro-batch, or of a GPU's part of the batch


def check_equals_unsplit(engine: Engine[S]) -> tuple[str, ...]:
    """Compare loss, gradients and buffers of a small model with those of the unsplit one.

    It has this depth and split. The unsplit model is given the same micro-batches.

    Returns:
        How training differs from that of the whole batch in one piece, in sentences; on rank 0.

    Raises:
        CaseError: on every rank, if they differ, or if the model cannot be split.
    """
    with comparable_kernels():
        return _check(engine, _small_case(engine.workload))


def _check(engine: Engine[S], case: Case) -> tuple[str, ...]:
    """Compare the small case, and return the notes."""
    unsplit, problem, device = None, None, engine.world.devices.real_device(0)
    if engine.world.rank == 0:
        unsplit, problem = _try_to_compute(engine.make_workload(case), device)
    _raise_together(engine, problem)
    step = engine.build(case)
    with without_dropout(step.layers().values()):
        step.compute_gradients()
    losses = engine.world.all_gather(step.loss, float | None)
    gradients = gather_tensors(step.gradients(), engine.world)
    buffers = {number: buffers_of(layer) for number, layer in step.layers().items()}
    every_buffer = gather_tensors(buffers, engine.world)
    notes: list[str] = []
    if unsplit is not None:
        workload = engine.make_workload(case)
        if (name := find_random(unsplit)) is not None:
            notes = [note_random(name)]
        elif (problem := find_difference(case, losses, gradients, every_buffer, unsplit)) is None:
            notes = _compare_with_whole_batch(engine.case, workload, unsplit, device)
    _raise_together(engine, problem)
    return tuple(notes)


def _small_case(workload: Workload) -> Case:
    """Return the case with layers and micro-batches as small as its schedule allows."""
    case = workload.small_case()
    return msgspec.structs.replace(
        case, batch_size=ROWS * case.parts, dtype="float32", optimizer="sgd"
    )


def _try_to_compute(workload: Workload, device: torch.device) -> tuple[Unsplit | None, str | None]:
    """Return the unsplit model, or in words why it cannot be split."""
    case = workload.case
    try:
        unsplit = compute_unsplit(workload, case.parts, device, case.replicas)
    except CaseError as error:
        return None, str(error)
    if case.schedule == "fsdp" and unsplit.unequal is not None:
        return None, f"{unsplit.unequal} has a gradient on some GPUs only; {EVERYWHERE}"
    if case.recompute == "layers" and (problem := find_unrepeatable(unsplit)) is not None:
        return None, problem
    return unsplit, None


def _compare_with_whole_batch(
    case: Case, workload: Workload, unsplit: Unsplit, device: torch.device
) -> list[str]:
    """Return the notes on a split that computes what the unsplit model does."""
    notes = [DROPOUT if unsplit.has_dropout else None]
    if SCHEDULES[case.schedule].is_pipeline:
        notes.append(note_frozen(unsplit))
    if case.parts > 1:
        whole = compute_unsplit(workload, 1, device)
        notes.append(note_whole_batch(case, workload, whole, unsplit))
    return [note for note in notes if note is not None]


def _raise_together(engine: Engine[S], problem: str | None) -> None:
    """Raise on every rank what rank 0 has found."""
    if (problem := engine.world.broadcast(problem, str | None)) is not None:
        raise CaseError(f"schedule: {engine.case.schedule}: {problem}")
