"""The schedules of a split model, one entry for each; a pipeline that torch has needs no more.

Letters as in the papers: p GPUs, m micro-batches, v chunks (stages) a GPU. Bubble shares and
activations in flight hold where forward, the gradient of the input and that of the weight take one
and the same time, and nothing else takes any. The rules for m are those of
torch.distributed.pipelining (torch 2.11 to 2.13), which runs the pipelines.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Literal

ALWAYS = range(1, 1_000_001)


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """One schedule, in all that the other parts need; an entry that lacks a part fails at import.

    Attributes:
        label: its name for people.
        family: `naive` is one process with all GPUs, the others have one for each.
        keys: the keys of a case that not every schedule has, and this one does.
        chunks: the values of `chunks_per_gpu` that it takes.
        accepts: (p, m) to whether it runs m micro-batches on p GPUs.
        gpu_of_stage: (p, v) to the GPU of each stage.
        layers: where its layers are, as a sentence, unless every GPU has one run of layers.
        holds_shares: whether a GPU holds a share of each of its layers, not the whole.
        torch_class: the class of torch.distributed.pipelining; None for what is no pipeline.
        bubble: (p, m, v) to the share of a step in which a GPU is idle, 0 to 1; None where no
            formula is known.
        unequal_bubble: (p, m, F, I, W) to the same where forward, gradient of the input and that of
            the weight take unequal work; None where `bubble` holds for these, too.
        in_flight: (p, m, v, gpu) to the most micro-batches whose activations a stage of that GPU
            holds at a time, added up over its stages; None where no rule is known.
    """

    label: str
    family: Literal["naive", "pipeline", "tensor", "data"]
    keys: tuple[str, ...]
    chunks: range
    accepts: Callable[[int, int], bool]
    gpu_of_stage: Callable[[int, int], list[int]]
    layers: str | None
    holds_shares: bool
    torch_class: str | None
    bubble: Callable[[int, int, int], float | None]
    in_flight: Callable[[int, int, int, int], int | None]
    unequal_bubble: Callable[[int, int, float, float, float], float | None] | None

    def __post_init__(self) -> None:
        """Check that torch has a class for it where it is a pipeline, and only there."""
        if self.is_pipeline is (self.torch_class is None):
            raise ValueError(f"{self.label}: family {self.family} with class {self.torch_class}")

    @property
    def is_pipeline(self) -> bool:
        """True for a pipeline of micro-batches."""
        return self.family == "pipeline"

    @property
    def is_on_all_gpus(self) -> bool:
        """True if every layer is on every GPU, whole or as shares, so that none has a place."""
        return self.family in ("tensor", "data")

    @property
    def is_chunked(self) -> bool:
        """True if a GPU holds several runs of layers."""
        return "chunks_per_gpu" in self.keys


def any_number(p: int, m: int) -> bool:
    """Accept every number of micro-batches."""
    return True


def one_a_gpu(p: int, m: int) -> bool:
    """Accept as many micro-batches as GPUs, and more."""
    return m >= p


def equal_rounds(p: int, m: int) -> bool:
    """Accept micro-batches that go in rounds of equal size, each of which fills the GPUs."""
    return m >= p and m % (m // p) == 0


def _in_turn(p: int, v: int) -> list[int]:
    return list(range(p)) * v


def _as_a_v(p: int, v: int) -> list[int]:
    return [*range(p), *reversed(range(p))]


def _fills_v(p: int, m: int) -> bool:
    """Return whether the first micro-batch returns after the warm-up of ZBV, 2 p - 1 of them."""
    return m >= 2 * p - 1


def _of_unequal_parts(p: int, m: int, f: float, i: float, w: float) -> float:
    """Return the bubble of ZB-H1, (p - 1) max(F, I, F + I - W) beside m (F + I + W).

    Qi et al. 2023 give (p - 1) (F + I - W), which holds where W is at most F and I. However long W
    is, the first micro-batch still takes (p - 1) F to the last GPU, and the last gradient (p - 1) I
    back (tests/predict/test_events.py simulates both).
    """
    idle = (p - 1) * max(f, i, f + i - w)
    return idle / (m * (f + i + w) + idle)


def _warm_up(p: int, m: int, v: int, gpu: int) -> int:
    """Return the forwards before the first backward of an interleaved pipeline, in rounds of r.

    2 (p - gpu - 1) + (v - 1) r: Megatron-LM's num_warmup_microbatches, torch's _get_warmup_ops.
    """
    return 2 * (p - gpu - 1) + (v - 1) * (m // max(1, m // p))


def _data_parallel(label: str, layers: str, *, holds_shares: bool = False) -> Schedule:
    """Return a schedule in which every GPU trains the whole model on its part of the batch.

    Args:
        label: its name for people.
        layers: where its layers are, as a sentence.
        holds_shares: whether a GPU holds a share of each layer.
    """
    return Schedule(
        label=label,
        family="data",
        keys=(),
        chunks=ALWAYS,
        accepts=any_number,
        gpu_of_stage=_in_turn,
        layers=layers,
        holds_shares=holds_shares,
        torch_class=None,
        bubble=lambda p, m, v: None,
        unequal_bubble=None,
        in_flight=lambda p, m, v, gpu: None,
    )


_OF_PIPELINES = ("micro_batches", "balance", "gradients", "data_parallel")
_OF_CHUNKED = ("chunks_per_gpu", *_OF_PIPELINES)

SCHEDULES = {
    "naive": Schedule(
        label="naive",
        family="naive",
        keys=(),
        chunks=ALWAYS,
        accepts=any_number,
        gpu_of_stage=_in_turn,
        layers=None,
        holds_shares=False,
        torch_class=None,
        bubble=lambda p, m, v: 1 - 1 / p,  # one GPU works at a time
        unequal_bubble=None,
        in_flight=lambda p, m, v, gpu: 1,
    ),
    # Huang et al. 2019 (arXiv 1811.06965), section 2.3.
    "gpipe": Schedule(
        label="GPipe",
        family="pipeline",
        keys=_OF_PIPELINES,
        chunks=ALWAYS,
        accepts=any_number,
        gpu_of_stage=_in_turn,
        layers=None,
        holds_shares=False,
        torch_class="GPipe",
        bubble=lambda p, m, v: (p - 1) / (m + p - 1),
        unequal_bubble=None,
        in_flight=lambda p, m, v, gpu: m,
    ),
    # Narayanan et al. 2021 (arXiv 2104.04473), section 2.2; there the bubble is a share of the time
    # without it: (p - 1) / m, and (p - 1) / (v m) where it is interleaved.
    "1f1b": Schedule(
        label="1F1B",
        family="pipeline",
        keys=_OF_PIPELINES,
        chunks=ALWAYS,
        accepts=one_a_gpu,
        gpu_of_stage=_in_turn,
        layers=None,
        holds_shares=False,
        torch_class="1F1B",
        bubble=lambda p, m, v: (p - 1) / (m + p - 1),
        unequal_bubble=None,
        in_flight=lambda p, m, v, gpu: min(m, p - gpu),  # one for each stage from here on
    ),
    "interleaved_1f1b": Schedule(
        label="interleaved 1F1B",
        family="pipeline",
        keys=_OF_CHUNKED,
        chunks=range(2, ALWAYS.stop),
        accepts=equal_rounds,
        gpu_of_stage=_in_turn,
        layers="Interleaved, the stages are dealt to the GPUs in turn, round after round.",
        holds_shares=False,
        torch_class="Interleaved1F1B",
        bubble=lambda p, m, v: (p - 1) / (v * m + p - 1),
        unequal_bubble=None,
        in_flight=lambda p, m, v, gpu: min(v * m, _warm_up(p, m, v, gpu) + 1),
    ),
    # ZB-H1 of Qi et al. 2023 (arXiv 2401.10241): (p - 1) (F + I - W) = p - 1 units beside 3 m of
    # work; each GPU holds as much as the first of 1F1B.
    "zero_bubble": Schedule(
        label="ZB1P",
        family="pipeline",
        keys=_OF_PIPELINES,
        chunks=ALWAYS,
        accepts=equal_rounds,
        gpu_of_stage=_in_turn,
        layers=None,
        holds_shares=False,
        torch_class="InterleavedZeroBubble",  # with one stage a GPU
        bubble=lambda p, m, v: (p - 1) / (3 * m + p - 1),
        unequal_bubble=_of_unequal_parts,
        in_flight=lambda p, m, v, gpu: min(m, p),
    ),
    # What the order of torch's ScheduleZBVZeroBubble leaves (tests/report/test_bubble.py and
    # test_in_flight.py play it): p - 1 units beside 6 m, of half the length, once the V is full.
    "zbv": Schedule(
        label="ZBV",
        family="pipeline",
        keys=_OF_CHUNKED,
        chunks=range(2, 3),
        accepts=one_a_gpu,
        gpu_of_stage=_as_a_v,
        layers="As a V, the stages are dealt to the GPUs in turn, and then once more backwards.",
        holds_shares=False,
        torch_class="ZBVZeroBubble",
        bubble=lambda p, m, v: (p - 1) / (6 * m + p - 1) if _fills_v(p, m) else None,
        unequal_bubble=lambda p, m, f, i, w: None,
        in_flight=lambda p, m, v, gpu: 2 * p if _fills_v(p, m) else None,
    ),
    "tensor": Schedule(
        label="tensor parallelism",
        family="tensor",
        keys=(),
        chunks=ALWAYS,
        accepts=any_number,
        gpu_of_stage=_in_turn,
        layers="With tensor parallelism every GPU holds a share of every layer.",
        holds_shares=True,
        torch_class=None,
        bubble=lambda p, m, v: None,
        unequal_bubble=None,
        in_flight=lambda p, m, v, gpu: None,
    ),
    # Li et al. 2020 (arXiv 2006.15704): gradients are averaged by all-reduces, bucket by bucket.
    "ddp": _data_parallel("DDP", "With DDP every GPU holds the whole model."),
    # Zhao et al. 2023 (arXiv 2304.11277), as torch's fully_shard: each layer is put together from
    # the shards of all GPUs where it is needed.
    "fsdp": _data_parallel(
        "FSDP", "With FSDP every GPU holds a shard of every parameter.", holds_shares=True
    ),
}
IN_TWO_PARTS = ("zero_bubble", "zbv")  # backward gives the gradient of the input first
PIPELINES = tuple(name for name, schedule in SCHEDULES.items() if schedule.is_pipeline)


def has_key(key: str, schedule: str) -> bool:
    """Return whether a schedule has this key of a case."""
    return key not in absent_keys(schedule)


@cache
def absent_keys(schedule: str) -> frozenset[str]:
    """Return the keys of a case that other schedules have, and this one does not."""
    of_some = {key for each in SCHEDULES.values() for key in each.keys}
    return frozenset(of_some - set(SCHEDULES[schedule].keys))


def schedules_with(key: str) -> list[str]:
    """Return the schedules that have this key of a case."""
    return [name for name in SCHEDULES if has_key(key, name)]
