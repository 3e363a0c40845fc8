"""Parameters and buffers that several layers share, known by identity while layers are made."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain
from weakref import ref

import torch
from torch import nn

from study.errors import CaseError

MOST = 3  # layers that an error names


@dataclass(frozen=True)
class Held:
    """A tensor as a layer has it: the layer's number, and the tensor's name in it."""

    layer: int
    name: str


@dataclass
class Shared:
    """One parameter or buffer, and all layers that have it."""

    tensor: "ref[torch.Tensor]"
    is_parameter: bool
    places: list[Held]

    def in_words(self, names: list[str]) -> str:
        """Return e.g. "embedding: token.weight and head: scores.weight", by the layers' names."""
        words = [f"{names[place.layer]}: {place.name}" for place in self.places[:MOST]]
        rest = len(self.places) - len(words)
        return " and ".join([*words, f"{rest} more"] if rest else words)


@dataclass(frozen=True)
class _Memory:
    """The bytes of a storage that a tensor takes, from the first to behind the last."""

    storage: "ref[torch.UntypedStorage]"  # alive for as long as any tensor has it
    start: int
    end: int
    place: Held


@dataclass
class Sharing:
    """The tensors of layers, which are added in order and before each moves to its device.

    A tensor that a later layer shares is alive until then, so that its identity is its own.
    """

    _seen: dict[int, Shared] = field(default_factory=dict)
    _several: dict[int, Shared] = field(default_factory=dict)
    _memory: dict[int, list[_Memory]] = field(default_factory=dict)  # by storage
    _overlapping: list[tuple[Held, Held]] = field(default_factory=list)

    def add(self, number: int, layer: nn.Module) -> None:
        """Note the tensors of a layer."""
        for name, tensor in chain(layer.named_parameters(), layer.named_buffers()):
            known = self._seen.get(id(tensor))
            if known is None or known.tensor() is not tensor:
                is_parameter = isinstance(tensor, nn.Parameter)
                self._seen[id(tensor)] = Shared(ref(tensor), is_parameter, [Held(number, name)])
                self._note_memory(tensor, Held(number, name))
            else:
                known.places.append(Held(number, name))
                self._several[id(known)] = known

    def _note_memory(self, tensor: torch.Tensor, place: Held) -> None:
        storage, size = tensor.untyped_storage(), tensor.element_size()
        steps = ((n - 1) * step for n, step in zip(tensor.shape, tensor.stride(), strict=True))
        start = int(tensor.storage_offset()) * size
        end = start + (1 + int(sum(steps))) * size if tensor.numel() else start
        alive = [m for m in self._memory.get(storage._cdata, []) if m.storage() is storage]
        for other in alive:
            if other.start < end and start < other.end and other.place.layer != place.layer:
                self._overlapping.append((other.place, place))
        self._memory[storage._cdata] = [*alive, _Memory(ref(storage), start, end, place)]

    def check_memory(self, names: list[str]) -> None:
        """Refuse two tensors of two layers in one memory: a split has one memory for each.

        Args:
            names: of the layers.

        Raises:
            CaseError: there are such.
        """
        for first, second in self._overlapping:
            a, b = (f"{names[place.layer]}: {place.name}" for place in (first, second))
            raise CaseError(
                f"{a} and {b} are two tensors in the same memory, and a split has one for each; "
                "give both layers the same nn.Parameter, or a copy"
            )

    def __iter__(self) -> Iterator[Shared]:
        """Yield what several layers have, in the order of its second layer."""
        return iter(self._several.values())
