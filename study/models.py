"""The kinds of models that a case can train, one entry for each, and the program that it can run.

A depth counts blocks for `gpt` and `conv`, which have a layer more at either end, and layers for
the others.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise
from typing import Any

OF_TRAINING = ("depth", "batch_size", "schedule", "micro_batches", "chunks_per_gpu", "balance",
               "gradients", "data_parallel", "dtype", "optimizer", "execution", "recompute",
               "seed", "warmup_steps", "steps", "time_limit_s", "ci_half_width")  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class ModelKind:
    """One kind of model, in all that the other parts need.

    Attributes:
        label: its name for people.
        keys: the keys of a case that not every kind has, and this one does.
        defaults: values of keys that the kind does not leave to the case.
        presets: values of its keys by the name of a published model.
        end_layers: how many layers it has besides `depth`.
        depth_unit: what `depth` counts.
        item: what a user counts in a batch; None where only a job can tell.
        schedules: families of schedules that can run it.
        alike: whether all layers between the first and the last are, in models of any depth.
        in_linear_layers: whether most of its weights are those of nn.Linear modules.
    """

    label: str
    keys: tuple[str, ...]
    defaults: Mapping[str, Any] = field(default_factory=dict)
    presets: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    end_layers: int = 0
    depth_unit: str = "layer"
    item: str | None = None
    schedules: tuple[str, ...] = ("naive", "pipeline", "data")
    alike: bool = False
    in_linear_layers: bool = False


def _gpt(depth: int, dim: int, heads: int) -> dict[str, Any]:
    return {"depth": depth, "dim": dim, "heads": heads, "seq_len": 1024, "vocab": 50257}


def _resnet(depth: int, norm: str) -> dict[str, Any]:
    return {"depth": depth, "width": 64, "image": 224, "classes": 1000, "norm": norm}


KINDS: dict[str, ModelKind] = {
    "linear": ModelKind(
        label="linear stack",
        keys=(*OF_TRAINING, "dim", "split"),
        item="sample",
        schedules=("naive", "pipeline", "tensor", "data"),
        alike=True,
        in_linear_layers=True,
    ),
    # Radford et al. 2019, table 2; tied as there if `tied: true`.
    "gpt": ModelKind(
        label="GPT",
        alike=True,
        in_linear_layers=True,
        keys=(*OF_TRAINING, "dim", "heads", "seq_len", "vocab", "tied"),
        defaults={"dim": 1024, "heads": 16, "seq_len": 1024, "vocab": 50257, "tied": False},
        presets={
            "gpt2": _gpt(12, 768, 12),
            "gpt2-medium": _gpt(24, 1024, 16),
            "gpt2-large": _gpt(36, 1280, 20),
            "gpt2-xl": _gpt(48, 1600, 25),
        },
        end_layers=2,
        depth_unit="block",
        item="token",
    ),
    # He et al. 2016 (arXiv 1512.03385), table 1; GroupNorm as in Wu and He 2018 (1803.08494).
    "conv": ModelKind(
        label="ResNet",
        keys=(*OF_TRAINING, "width", "image", "classes", "norm"),
        defaults={"width": 64, "image": 224, "classes": 1000, "norm": "group"},
        presets={
            "resnet50-gn": _resnet(16, "group"),
            "resnet50-bn": _resnet(16, "batch"),
            "resnet101-gn": _resnet(33, "group"),
            "resnet101-bn": _resnet(33, "batch"),
        },
        end_layers=2,
        depth_unit="block",
        item="image",
    ),
    "factory": ModelKind(
        label="own model", keys=(*OF_TRAINING, "factory", "sha256", "args"), defaults={"args": ()}
    ),
    "program": ModelKind(
        label="own program",
        keys=("command", "args"),
        defaults={"args": ()},
        schedules=("naive",),
    ),
}
# Keys of which a case has no value unless its kind has them, or it is a calibration; the others
# then keep their defaults.
UNSET_KEYS = ("heads", "seq_len", "vocab", "tied", "width", "image", "classes", "norm", "factory",
              "sha256", "args", "command", "calibrates")  # fmt: skip


@cache
def absent_model_keys(kind: str) -> frozenset[str]:
    """Return the keys of a case that other kinds of models have, and this one does not."""
    of_some = {key for each in KINDS.values() for key in each.keys}
    return frozenset(of_some - set(KINDS[kind].keys))


def kinds_with(key: str) -> list[str]:
    """Return the kinds of models that have this key of a case."""
    return [name for name in KINDS if key not in absent_model_keys(name)]


def blocks_per_group(depth: int) -> list[int]:
    """Return how many of a ResNet's `depth` bottleneck blocks each of its four groups has.

    Those of the published depths (He et al. 2016, table 1), else in ResNet-50's proportions.
    """
    published = {16: [3, 4, 6, 3], 33: [3, 4, 23, 3], 50: [3, 8, 36, 3]}
    if depth in published:
        return published[depth]
    ends = [round(depth * part / 16) for part in (0, 3, 7, 13, 16)]
    return [after - before for before, after in pairwise(ends)]
