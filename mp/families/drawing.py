"""Draw the layers that a factory returned, one after another, and note their names."""

from collections import deque
from collections.abc import Iterable, Iterator, Sized
from typing import Any

import torch
from torch import nn

from mp.families.contract import Model
from mp.families.outputs import clean_name, type_name
from mp.families.user_code import UserCode


def draw_layers(
    model: Model, depth: int, seed: int, code: UserCode, *, is_exact: bool = True
) -> Iterator[nn.Module]:
    """Yield the layers, and note their names.

    A callable, and an iterator's next layer, get random numbers of `seed` and their number.

    Args:
        model: of a call with the generators seeded.
        depth: how many layers it has.
        seed: of the case.
        code: the factory, to call within.
        is_exact: False where `depth` is only the most that there may be.

    Raises:
        CaseError: one is no module, or there are more or fewer than `depth`.
    """
    given = _child_names(model.layers)
    found, model.layers = _taken(model.layers, seed, code), ()
    count, moved = 0, set[int]()
    for number, layer in enumerate(found):
        if number == depth:
            raise code.error(f"returns more than {depth} layers, which depth says; correct depth")
        if not isinstance(layer, nn.Module):
            raise code.error(
                f"layer {number}: is {type_name(layer)}, and must be a module of torch"
            )
        if id(layer) not in moved:  # of one that comes twice, who draws may have moved the first
            _check_place(layer, number, code)
        moved.add(id(layer))
        code.layer_names[number] = given.get(number) or f"{type_name(layer)} {number}"
        yield layer if _is_float32(layer) else layer.float()
        count += 1
    if is_exact and count != depth:
        raise code.error(f"returns {count} layers, depth says {depth}; set depth: {count}")


def _child_names(layers: Iterable[Any]) -> dict[int, str]:
    """Return the names that the user gave to layers of an nn.Sequential."""
    named = layers._modules if isinstance(layers, nn.Sequential) else {}
    return {i: clean_name(name) for i, name in enumerate(named) if not name.isdecimal()}


def _taken(layers: Iterable[Any], seed: int, code: UserCode) -> Iterator[Any]:
    """Yield the layers and forget each, so that not all of them stay in memory."""
    left = deque(layers) if isinstance(layers, Sized) else None
    source = iter(() if left is not None else layers)
    del layers
    number, end = 0, object()
    while left or left is None:
        if left is not None:
            layer = left.popleft()
        else:
            with code.running(f"layer {number}", seed + number):
                layer = next(source, end)
        if layer is end:
            return
        if not isinstance(layer, nn.Module) and callable(layer):
            with code.running(f"layer {number}", seed + number):
                layer = layer()
        yield layer
        number += 1


def _is_float32(layer: nn.Module) -> bool:
    tensors = (*layer.parameters(), *layer.buffers())
    return all(t.dtype == torch.float32 for t in tensors if t.is_floating_point())


def _check_place(layer: nn.Module, number: int, code: UserCode) -> None:
    """Refuse numbers on a GPU: every split draws the same on the CPU, and memory is counted."""
    for tensor in (*layer.parameters(), *layer.buffers()):
        if tensor.device.type != "cpu":
            raise code.error(
                f"{code.label(number)} is on {tensor.device}; make "
                "layers on the CPU, and they are moved"
            )
