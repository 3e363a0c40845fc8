"""The contract of a factory: the layers, batch and loss that it returns, checked."""

from collections.abc import Callable, Iterable, Mapping, Sized
from dataclasses import dataclass
from typing import Any

import msgspec
from torch import nn

from mp.families.outputs import LONGEST, type_name
from mp.families.user_code import UserCode
from study.case import Argument, ArgumentName
from study.quoting import quoted
from study.text import one_line

NEEDED = ("layers", "batch", "loss")
ORDER = (*NEEDED, "unit", "small")
MOST_ITEMS = 10**12  # of a row


@dataclass
class Model:
    """The model that one call of a factory returned.

    Attributes:
        layers: modules, or callables without arguments that make one; drawn one after another.
        batch: draws input and target of so many rows.
        loss: of output and target.
        unit: the name of what a user counts, and how many of them a row holds.
        small: arguments of a small model for the check, if there are any.
    """

    layers: Iterable[Any]
    batch: Callable[[int], Any]
    loss: Callable[..., Any]
    unit: tuple[str, int]
    small: dict[str, Argument] | None


def model_of(returned: Any, depth: int | None, code: UserCode) -> Model:
    """Return the model of what a factory returned, checked.

    Args:
        returned: an object, a dict or a tuple.
        depth: how many layers the case has; None if they are to be counted.
        code: the factory, for errors.

    Raises:
        CaseError: something is missing or of another type, or the number of layers is another.
    """
    parts = _parts_of(returned)
    if missing := [key for key in NEEDED if parts.get(key) is None]:
        raise code.error(
            f"returns {type_name(returned)} without {' and '.join(missing)}; return an object, a "
            "dict or a tuple with layers, batch and loss"
        )
    for key in ("batch", "loss"):
        if not callable(parts[key]):
            raise code.error(f"returns {type_name(parts[key])} as {key}, which must be a function")
    layers = parts["layers"]
    if isinstance(layers, nn.Module) and not isinstance(layers, nn.Sequential | nn.ModuleList):
        raise code.error(
            f"returns {type_name(layers)} as layers; return nn.Sequential or a list of modules"
        )
    if isinstance(layers, str | bytes | Mapping) or not isinstance(layers, Iterable):
        raise code.error(
            f"returns {type_name(layers)} as layers; return nn.Sequential or a list of modules"
        )
    if isinstance(layers, Sized) and len(layers) != (depth or len(layers)):
        raise code.error(
            f"returns {len(layers)} layers, depth says {depth}; set depth: {len(layers)}"
        )
    unit, small = _unit_of(parts.get("unit"), code), _small_of(parts.get("small"), code)
    return Model(layers, parts["batch"], parts["loss"], unit, small)


def _parts_of(returned: Any) -> dict[str, Any]:
    if isinstance(returned, Mapping):
        return {key: returned[key] for key in ORDER if key in returned}
    if isinstance(returned, nn.Sequential | nn.ModuleList):
        return {"layers": returned}
    if isinstance(returned, tuple) and not hasattr(returned, "_fields"):
        return dict(zip(ORDER, returned, strict=False))
    return {key: getattr(returned, key, None) for key in ORDER}


def _unit_of(unit: Any, code: UserCode) -> tuple[str, int]:
    if unit is None:
        return "sample", 1
    try:
        item, count = msgspec.convert(unit, type=tuple[str, int], strict=True)
    except msgspec.ValidationError:
        item, count = "", 0
    name = one_line(item)[:LONGEST]
    if not name or not 1 <= count <= MOST_ITEMS:
        raise code.error(f'returns unit {quoted(unit)}; write e.g. unit = ("token", 1024)')
    return name, count


def _small_of(small: Any, code: UserCode) -> dict[str, Argument] | None:
    if small is None:
        return None
    try:
        return msgspec.convert(small, type=dict[ArgumentName, Argument], strict=True)
    except msgspec.ValidationError as error:
        raise code.error(
            f"returns small {quoted(small)}: {error}; write e.g. small = {{'width': 64}}"
        ) from None
