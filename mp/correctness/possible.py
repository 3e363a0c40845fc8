"""Checks of a case that need no second model: its devices, and where its data move."""

from mp.hardware.devices import Devices
from mp.placement import boundaries
from study.case import Case
from study.errors import CaseError
from study.results.result import Placement, Transfers


def check_possible(case: Case, devices: Devices) -> None:
    """Refuse what these devices cannot do at all.

    Raises:
        CaseError: TF32 without a CUDA GPU, or a CUDA graph without one that is not shared.
    """
    on_cuda = devices.real[0].type == "cuda"
    if case.dtype == "tf32" and not on_cuda:
        raise CaseError("dtype: tf32 exists on CUDA GPUs only; use float32 or bfloat16")
    if case.execution == "cuda_graph" and (devices.emulated or not on_cuda):
        if case.in_processes:
            raise CaseError(
                "execution: cuda_graph needs a real CUDA GPU for each process; these compute on "
                "CPUs, whose work over Gloo no graph can hold; use execution: eager"
            )
        raise CaseError("execution: cuda_graph exists on one real CUDA GPU only; use eager")


def check_moves(placement: Placement, seen: Transfers) -> None:
    """Compare where data moved with where the placement changes GPU.

    Several real GPUs refuse to compute on another's data; logical ones, sharing memory, would not.

    Raises:
        CaseError: a move is missing, or there is one too many.
    """
    expected = boundaries(placement.gpu_of_layer)
    if seen.moved_before_layers != expected:
        raise CaseError(
            f"data moved before layers {seen.moved_before_layers}, but the layer map changes GPU "
            f"before layers {expected}"
        )
