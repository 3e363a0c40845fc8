"""Bytes of a GPU that CUDA and NCCL take besides torch's tensors, and how sure they are."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from predict.memory.gpu_size import GpuSize
from predict.memory.kernels import WORKSPACE
from predict.memory.peaks import Peak
from predict.memory.places import neighbours_of
from study.case import Case

OFF_ELSEWHERE = 0.1  # what tensors may be too high on another GPU, whose kernels differ


@dataclass(frozen=True)
class Beside:
    """Bytes that CUDA and NCCL take of a GPU besides torch's tensors.

    On H100s and H200s it is what they took there. On other GPUs that is a guess, which refuses
    nothing: there only what a calibration of theirs found is sure.

    Attributes:
        size: of the GPU; None if unknown.
        calibrated: bytes by what a process has done (study/results/calibration/layers.py), of a
            calibration on such a GPU.
    """

    size: GpuSize | None = None
    calibrated: Mapping[str, int] = field(default_factory=dict)

    @property
    def is_measured(self) -> bool:
        """True on GPUs of which the figures are."""
        return self.size is not None and self.size.is_measured

    def least(self, case: Case, peak: Peak) -> int:
        """Return the bytes that it takes at least; 0 where nothing is sure."""
        return peak.beside if self.is_measured else self._found(case, peak)

    def needed(self, case: Case, peak: Peak) -> float:
        """Return the bytes of the GPU that are in use at least, those of tensors included."""
        if self.is_measured:
            return peak.needed
        tensors = peak.allocated - WORKSPACE - peak.parts.temporaries
        return (1 - OFF_ELSEWHERE) * tensors + self._found(case, peak)

    def _found(self, case: Case, peak: Peak) -> int:
        """Return what a calibration found of a process that has done no more than the case's.

        That of a pair has sent messages to one neighbour before it took part in collectives.
        """
        alone = self.calibrated.get("layers", 0)
        neighbours = neighbours_of(case, peak.gpu) if case.in_processes else None
        return max(alone, self.calibrated.get("messages", 0)) if neighbours else alone
