"""Engines: the two ways a case runs, behind one interface.

`mp/single` holds all GPUs in one process; `mp/distributed` has a process, a rank, for each. The
phases of a benchmark, the measurement and the check of correctness know only what is here.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

import torch
from torch import nn

from mp.families.registry import workload_of
from mp.hardware.devices import Devices
from mp.hardware.environment import States
from mp.hardware.memory import reset_peaks
from mp.hardware.precision import set_precision
from mp.profiling.profile import measure_profile
from mp.timing.timeline import Timeline
from mp.workload import Workload
from study.case import Case
from study.errors import GpuMismatch
from study.outcome import ResultOutcome
from study.results.ceilings import CopyRate
from study.results.environment import Environment
from study.results.layers import ModelProfile
from study.results.result import PairTransfers, Placement, Transfers
from study.storage.progress import Progress

T = TypeVar("T")
ProgressCallback = Callable[[Progress], None]
Tensors = dict[str, torch.Tensor]  # of a layer, by name, on the CPU
Gradients = dict[int, Tensors]  # by the number of the layer


@dataclass(frozen=True)
class Communicator:
    """The ranks of a case, as one of them sees the others; here one process is all there are.

    Attributes:
        devices: the GPUs of this process.
        rank: its number; rank 0 decides and reports.
        size: how many ranks there are.
    """

    devices: Devices
    rank: int = 0
    size: int = 1

    @property
    def emulated(self) -> bool:
        """True where GPUs are emulated."""
        return self.devices.emulated

    def all_gather(self, mine: T, kind: Any) -> list[T]:
        """Return the value of every rank, in order, on all of them; all must be of type `kind`."""
        return [mine]

    def all_gather_numbers(self, mine: torch.Tensor) -> list[torch.Tensor]:
        """Return the 1-d CPU tensor of every rank, in order, on all of them; of one dtype."""
        return [mine]

    def all_reduce_max(self, value: float) -> float:
        """Return the largest value of all ranks, once all have come so far."""
        return value

    def broadcast(self, value: T, kind: Any) -> T:
        """Return the value of rank 0, which must be of type `kind`."""
        return value


class Step(Protocol):
    """This process's part of a training step."""

    def __call__(self) -> None:
        """Train one step."""

    def compute_gradients(self) -> None:
        """Run forward and backward of the whole batch."""

    @property
    def loss(self) -> float | None:
        """The mean over the batch in the step that ran last; None where another rank has it."""

    def layers(self) -> dict[int, nn.Module]:
        """Return the layers of this process, or its shares of them, by number."""

    def gradients(self) -> Gradients:
        """Return the gradients of the layers of this process; none of a frozen parameter."""


S = TypeVar("S", bound=Step)


class Engine(ABC, Generic[S]):
    """Builds, observes and records the steps of a case. All ranks call the same methods.

    Args:
        case: the case.
        world: its ranks.
        make_workload: makes what a case trains.
    """

    def __init__(
        self,
        case: Case,
        world: Communicator,
        make_workload: Callable[[Case], Workload] = workload_of,
    ) -> None:
        self.case, self.world, self.make_workload = case, world, make_workload
        self.workload = make_workload(case)
        self._profile: ModelProfile | None = None

    def profile(self, report: ProgressCallback) -> ModelProfile:
        """Return the model's layers as the first rank measured them, once, on its first GPU.

        Args:
            report: told of the phase.
        """
        if self._profile is None:
            report(Progress(phase="profile the layers"))
            set_precision(self.case)
            mine = None
            if self.world.rank == 0:
                device, rows = self.world.devices.real_device(0), self.case.batch_size
                mine = measure_profile(self.workload, device, rows // self.case.parts)
            self._profile = self.world.broadcast(mine, ModelProfile)
        assert self._profile is not None
        return self._profile

    @abstractmethod
    def place(self, report: ProgressCallback) -> Placement:
        """Decide, before anything else is asked, which GPU holds which layer."""

    @abstractmethod
    def describe_environment(self, before: States, after: States) -> Environment:
        """Describe the environment of all ranks, with the states of this process's GPUs."""

    @abstractmethod
    def measure_copies(self) -> list[CopyRate]:
        """Check that data arrive between GPUs that pass them, else raise CaseError; time that."""

    @abstractmethod
    def build(self, case: Case) -> S:
        """Build the step of the case, or of one of other sizes that is placed alike."""

    def prepare(self, step: S) -> Callable[[], None]:
        """Return what is timed: the step, or a CUDA graph of it."""
        return step

    def check_execution(self) -> None:
        """Check that a CUDA graph trains as eager steps do, before anything large is there.

        Raises:
            CaseError: on every rank, if it does not.
        """

    def reset_peaks(self) -> None:
        """Begin with the peaks of memory, after the warm-up."""
        reset_peaks(self.world.devices)

    def release(self, run: Callable[[], None]) -> None:
        """Let go of what `prepare` made beside the step, before instrumented steps."""

    @property
    def has_instrumented_steps(self) -> bool:
        """True if steps are recorded after those that are timed."""
        return self.case.execution == "eager"

    @abstractmethod
    def observe_transfers(self, step: S) -> Transfers:
        """Train one step and count what all GPUs moved."""

    @abstractmethod
    def record_timeline(self, step: S) -> Timeline:
        """Train one instrumented step."""


def sum_transfers(pairs: list[PairTransfers], moved_before_layers: list[int]) -> Transfers:
    """Return the transfers of all pairs of GPUs with their sums."""
    forward = [pair for pair in pairs if pair.phase == "forward"]
    backward = [pair for pair in pairs if pair.phase == "backward"]
    return Transfers(
        to_calls_per_forward=None,
        moves_forward=sum(pair.moves for pair in forward),
        moves_backward=sum(pair.moves for pair in backward),
        bytes_forward=sum(pair.bytes for pair in forward),
        bytes_backward=sum(pair.bytes for pair in backward),
        moved_before_layers=moved_before_layers,
        by_pair=pairs,
    )


def gradients_of(layer: nn.Module) -> Tensors:
    """Return the gradient of each parameter that has one, on the CPU."""
    return {
        name: parameter.grad.detach().cpu()
        for name, parameter in layer.named_parameters()
        if parameter.grad is not None
    }


def outcome_of(error: Exception) -> ResultOutcome:
    """Return the outcome of a case that this error ended."""
    if isinstance(error, GpuMismatch):
        return "gpu_mismatch"
    if isinstance(error, torch.OutOfMemoryError):
        return "oom_gpu"
    # On the CPU torch raises a plain RuntimeError, which only its text tells apart.
    if isinstance(error, MemoryError) or "DefaultCPUAllocator" in str(error):
        return "oom_host"
    return "error"
