"""One GPU of a pipeline, whose memory is followed action by action."""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from predict.memory.parts import OPTIMIZER_STATES, OPTIMIZER_TEMPORARIES, MemoryBreakdown
from predict.orders.action import Action, Kind
from study.case import Case

Key = tuple[int, int]  # a stage and a micro-batch
_NOTHING = -(10**30), 0  # less than any action has


class _Change(NamedTuple):
    """Change that an action makes, and the most bytes that the GPU has meanwhile.

    Attributes:
        kept: bytes more that are kept at its end.
        in_flight: bytes more that its micro-batch keeps; None if it keeps nothing any more.
        activations: short-lived bytes of activations at the most, with those kept more by then.
        temporaries: short-lived bytes of other kinds.
    """

    kept: int
    in_flight: int | None
    activations: int
    temporaries: int


@dataclass
class FollowedGpu(ABC):
    """Bytes that one GPU holds as a step goes on, and the most it held.

    Subclasses say what each kind of action does. Once a stage has its gradients, an action of a
    kind does the same for every micro-batch, so it is followed once.

    Attributes:
        case: the configuration.
        parameters: bytes of the parameters.
        trained: bytes of those that have gradients.
        gradients: bytes of gradients.
        kept: bytes of activations and of their gradients.
        in_flight: of `kept`, the bytes of each stage and micro-batch.
        is_trained: stages that have gradients from a micro-batch before.
    """

    case: Case
    parameters: int = field(default=0, init=False)
    trained: int = field(default=0, init=False)
    gradients: int = field(default=0, init=False)
    kept: int = field(default=0, init=False)
    in_flight: dict[Key, int] = field(default_factory=dict, init=False)
    is_trained: set[int] = field(default_factory=set, init=False)
    _changes: dict[tuple[Kind, int], _Change] = field(default_factory=dict, init=False)
    _before: int = field(default=0, init=False)  # what was kept as the action began
    _rise: tuple[int, int] = field(default=_NOTHING, init=False)  # the most of this action
    _most: tuple[int, int, int, int] = field(default=(0, 0, 0, 0), init=False)

    def peak_of(self, actions: Iterable[Action]) -> MemoryBreakdown:
        """Follow the actions of the step, and the optimizer; return the most that is held."""
        for action in actions:
            self._act(action)
        self._look(temporaries=OPTIMIZER_TEMPORARIES[self.case.optimizer] * self.trained)
        _, gradients, kept, temporaries = self._most
        state = OPTIMIZER_STATES[self.case.optimizer] * self.trained
        return MemoryBreakdown(self.parameters, gradients, state, kept, temporaries)

    @abstractmethod
    def _forward(self, stage: int, micro_batch: int) -> None:
        """Run the layers of a stage."""

    @abstractmethod
    def _backward(self, stage: int, micro_batch: int) -> None:
        """Compute all gradients of a stage."""

    @abstractmethod
    def _input_gradient(self, stage: int, micro_batch: int) -> None:
        """Compute what zero bubble computes first: the gradient of the input."""

    @abstractmethod
    def _weight_gradient(self, stage: int, micro_batch: int) -> None:
        """Compute what zero bubble puts off: the gradients of the weights."""

    def _follow(self, kind: Kind, stage: int, micro_batch: int) -> None:
        match kind:
            case "forward":
                self._forward(stage, micro_batch)
            case "backward":
                self._backward(stage, micro_batch)
            case "input_gradient":
                self._input_gradient(stage, micro_batch)
            case "weight_gradient":
                self._weight_gradient(stage, micro_batch)

    def _act(self, action: Action) -> None:
        kind, stage, micro_batch = action
        key = stage, micro_batch
        change = self._changes.get((kind, stage))
        if change is not None:
            self._repeat(key, change)
            return
        before, held = self.gradients, self.in_flight.get(key, 0)
        is_alike = kind == "forward" or stage in self.is_trained
        self._before, self._rise = self.kept, _NOTHING
        self._follow(kind, stage, micro_batch)
        if is_alike and self.gradients == before:
            after = self.in_flight.get(key)
            self._changes[kind, stage] = _Change(
                self.kept - self._before, None if after is None else after - held, *self._rise
            )

    def _repeat(self, key: Key, change: _Change) -> None:
        self._note(self.kept + change.activations, change.temporaries)
        self.kept += change.kept
        if change.in_flight is None:
            self.in_flight.pop(key, None)
        else:
            self.in_flight[key] = self.in_flight.get(key, 0) + change.in_flight

    def _keep(self, key: Key, size: int) -> None:
        self.in_flight[key] = self.in_flight.get(key, 0) + size
        self.kept += size

    def _let_go(self, key: Key) -> None:
        self.kept -= self.in_flight.pop(key, 0)

    def _look(self, *, activations: int = 0, temporaries: int = 0) -> None:
        """Record what the GPU holds now, with short-lived bytes, if it is the most."""
        kept = self.kept + activations
        if kept - self._before + temporaries > sum(self._rise):
            self._rise = kept - self._before, temporaries
        self._note(kept, temporaries)

    def _note(self, kept: int, temporaries: int) -> None:
        total = self.gradients + kept + temporaries
        if total > self._most[0]:
            self._most = total, self.gradients, kept, temporaries
