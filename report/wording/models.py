"""A model in words: its kind and the sizes that the kind has."""

from collections.abc import Mapping
from typing import Any

from report.wording.names import key_name, value_text
from report.wording.units import count_of
from study.case import ARGUMENT
from study.models import KINDS, OF_TRAINING

# Keys of how a model is trained, which are said after what it is.
HOW_TRAINED = tuple(key for key in OF_TRAINING if key not in ("depth", "batch_size"))
_PHRASES = {
    "heads": "{} heads",
    "seq_len": "{} tokens a row",
    "vocab": "vocabulary {}",
    "width": "width {}",
    "image": "images of {0} × {0}",
    "classes": "{} classes",
    "batch_size": "batch {} rows",
}
_NORMS: dict[str, str] = {"group": "GroupNorm", "batch": "BatchNorm"}


def is_of_model(key: str) -> bool:
    """Return whether a key says what a model is, and not how it is trained or measured."""
    return key in ("kind", "depth", "batch_size") or _is_of_a_kind(key)


def _is_of_a_kind(key: str) -> bool:
    own = {name for kind in KINDS.values() for name in kind.keys} - set(OF_TRAINING)
    return key in own or key.startswith(ARGUMENT)


def model_words(values: Mapping[str, Any]) -> str:
    """Return `GPT: depth 24 blocks, dim 1024, 16 heads, 1024 tokens a row, …`.

    Args:
        values: Values of keys of a model, by key, `kind` among them.
    """
    kind = values["kind"]
    parts = [_phrase(kind, key, value) for key, value in values.items() if is_of_model(key)]
    found = ", ".join(filter(None, parts))
    return f"{KINDS[kind].label}{f': {found}' if found else ''}"


def _phrase(kind: str, key: str, value: Any) -> str:
    if key == "kind":
        return ""
    if key == "depth":
        return f"depth {count_of(value, KINDS[kind].depth_unit)}"
    if key == "tied":
        return "tied weights" if value else ""
    if key == "norm":
        return _NORMS[str(value)]
    if key == "factory":
        return value_text(key, value)
    if key in _PHRASES:
        return _PHRASES[key].format(value)
    return f"{key_name(key)} {value_text(key, value)}"
