"""Parameters and buffers that several layers share, known by identity while layers are made."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain
from weakref import ref

import torch
from torch import nn

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


@dataclass
class Sharing:
    """The tensors of layers, which are added in order and before each moves to its device.

    A tensor that a later layer shares is alive until then, so that its identity is its own.
    """

    _seen: dict[int, Shared] = field(default_factory=dict)
    _several: dict[int, Shared] = field(default_factory=dict)

    def add(self, number: int, layer: nn.Module) -> None:
        """Note the tensors of a layer."""
        for name, tensor in chain(layer.named_parameters(), layer.named_buffers()):
            known = self._seen.get(id(tensor))
            if known is None or known.tensor() is not tensor:
                is_parameter = isinstance(tensor, nn.Parameter)
                self._seen[id(tensor)] = Shared(ref(tensor), is_parameter, [Held(number, name)])
            else:
                known.places.append(Held(number, name))
                self._several[id(known)] = known

    def __iter__(self) -> Iterator[Shared]:
        """Yield what several layers have, in the order of its second layer."""
        return iter(self._several.values())
