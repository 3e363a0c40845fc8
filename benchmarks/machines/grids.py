"""Grid files for a machine: of grids/, docs/example/grids and held_out/, for its number of GPUs."""

import shutil
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent.parent
EXAMPLE = ROOT / "docs/example/grids"
HELD_OUT = Path(__file__).resolve().parent / "held_out"
HOMEWORK = [ROOT / f"grids/task{number}.yaml" for number in range(1, 6)]
MADE_FOR = 4  # GPUs: the largest number in the grids
# Of a rehearsal, which measures nothing: a second on a CPU. Widths become smaller by a factor, so
# that each still needs a calibration of its own.
SMALL: dict[str, dict[str, Any]] = {
    "linear": {"batch_size": 64},
    "gpt": {"depth": 20, "heads": 2, "seq_len": 8, "vocab": 50, "batch_size": 32},
}
NARROWER = {"linear": 128, "gpt": 64}
SHORT = {"warmup_steps": 2, "steps": 5, "time_limit_s": 5}
NODES = """\
title: "Two pretended nodes"
table: schedules
axes: {gpus: [4], schedule: [1f1b, zero_bubble, tensor, ddp]}
model: {depth: 24, dim: 5120, batch_size: 16384}
pipeline: {micro_batches: 16}
train: {dtype: bfloat16}
measure: {time_limit_s: 5}
"""


def write_grids(folder: Path, gpus: int, *, small: bool) -> None:
    """Write every grid for a machine of `gpus` GPUs; the files keep their names.

    Args:
        folder: where they go; what was there before is removed.
        gpus: a power of two.
        small: sizes of a rehearsal, without CUDA graphs, which no CPU has.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    others = (path for folder in (EXAMPLE, HELD_OUT) for path in sorted(folder.glob("*.yaml")))
    texts = {path.stem: path.read_text() for path in [*HOMEWORK, *others]}
    for name, text in (texts | {"nodes": NODES}).items():
        data = yaml.safe_load(text)
        if name == "task3":
            data["axes"]["gpus"] = [*range(1, max(5, gpus) + 1)]
        elif not name.startswith("task"):
            data["axes"]["gpus"] = _scaled(data["axes"]["gpus"], gpus)
            pipeline = data.get("pipeline", {})
            if least := pipeline.get("micro_batches"):
                pipeline["micro_batches"] = max(least, gpus)  # a pipeline needs as many
            if replicas := pipeline.get("data_parallel"):
                pipeline["data_parallel"] = replicas * gpus // MADE_FOR
        if small:
            _shrink(data)
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(data, sort_keys=False))


def _scaled(counts: list[int], gpus: int) -> list[int]:
    """Return `[2, 4]` as half and all of the GPUs, and `[1, 2, 4]` as the powers of two."""
    if 1 not in counts:
        return [count * gpus // MADE_FOR for count in counts]
    return [2**power for power in range(gpus.bit_length())]


def _shrink(data: dict[str, Any]) -> None:
    model, axes = data["model"], data["axes"]
    kind = model.get("kind", "linear")
    model.update({key: value for key, value in SMALL[kind].items() if key in model})
    model["dim"] //= NARROWER[kind]
    if "batch_size" in axes:
        axes["batch_size"] = [32, 64]
    if "execution" in axes:
        axes["execution"] = ["eager"]
    data["measure"] = dict(SHORT)
