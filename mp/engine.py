"""Engines: the two ways a case runs, behind one protocol.

`mp/single` holds all GPUs in one process; `mp/distributed` has a process, a rank, for each. The
phases of a benchmark, the measurement and the check of correctness know only what is here.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import torch
from torch import nn

from mp.hardware.devices import Devices
from mp.hardware.environment import States
from mp.timing.timeline import Timeline
from mp.workload import Workload
from study.case import Case
from study.errors import GpuMismatch
from study.outcome import ResultOutcome
from study.results.ceilings import CopyRate
from study.results.environment import Environment
from study.results.result import Placement, Transfers
from study.storage.progress import Progress

T = TypeVar("T")
ProgressCallback = Callable[[Progress], None]
Gradients = dict[int, list[torch.Tensor]]  # of each parameter in order, by layer, on the CPU


class Communicator(Protocol):
    """The processes of a case, as one of them sees the others. Rank 0 decides and reports."""

    @property
    def rank(self) -> int:
        """The number of this process."""

    @property
    def size(self) -> int:
        """How many processes there are."""

    @property
    def devices(self) -> Devices:
        """The GPUs of this process."""

    def all_gather(self, mine: T, kind: Any) -> list[T]:
        """Return the value of every rank, in order, on all of them; `kind` is its type."""

    def all_gather_numbers(self, mine: torch.Tensor) -> list[torch.Tensor]:
        """Return the 1-d CPU tensor of every rank, in order, on all of them."""

    def all_reduce_max(self, value: float) -> float:
        """Return the largest value of all ranks, once all have come so far."""

    def broadcast(self, value: T, kind: Any) -> T:
        """Return the value of rank 0; `kind` is its type."""


@dataclass(frozen=True)
class OneProcess:
    """The communicator of a process that has all GPUs."""

    devices: Devices
    rank: int = 0
    size: int = 1

    def all_gather(self, mine: T, kind: Any) -> list[T]:
        """Return this process's value alone."""
        return [mine]

    def all_gather_numbers(self, mine: torch.Tensor) -> list[torch.Tensor]:
        """Return this process's tensor alone."""
        return [mine]

    def all_reduce_max(self, value: float) -> float:
        """Return the value."""
        return value

    def broadcast(self, value: T, kind: Any) -> T:
        """Return the value."""
        return value


class Step(Protocol):
    """One training step. Calling it computes gradients and runs the optimizer."""

    def __call__(self) -> None: ...

    def compute_gradients(self) -> None:
        """Run forward and backward of the whole batch."""

    @property
    def loss(self) -> float | None:
        """The mean over the batch in the step that ran last; None where another rank has it."""

    def gradients(self) -> Gradients:
        """Return the gradients of the layers of this process."""


S = TypeVar("S", bound=Step)


class Engine(Protocol[S]):
    """How the steps of a case are built, observed and recorded.

    Attributes:
        case: the case.
        workload: makes what a case trains.
        emulated: True where GPUs are emulated.
    """

    case: Case
    workload: Callable[[Case], Workload]
    emulated: bool

    @property
    def world(self) -> Communicator:
        """The processes of the case."""

    def place(self, report: ProgressCallback) -> Placement:
        """Decide, before anything else is asked, which GPU holds which layer."""

    def describe_environment(self, before: States, after: States) -> Environment:
        """Describe the environment of all ranks, with the states of this process's GPUs."""

    def measure_copies(self) -> list[CopyRate]:
        """Check and time the copies between GPUs that pass data.

        Raises:
            CaseError: data did not arrive as they were sent.
        """

    def build(self, case: Case) -> S:
        """Build the step of the case, or of one of other sizes that is placed alike."""

    def prepare(self, step: S) -> Callable[[], None]:
        """Return what is timed: the step, or a CUDA graph of it."""

    def observe_transfers(self, step: S) -> Transfers:
        """Train one step and count what all GPUs moved."""

    def record_timeline(self, step: S) -> Timeline:
        """Train one instrumented step."""


def gradients_of(layer: nn.Module) -> list[torch.Tensor]:
    """Return the gradient of each parameter, in order, on the CPU."""
    return [p.grad.detach().cpu() for p in layer.parameters() if p.grad is not None]


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
