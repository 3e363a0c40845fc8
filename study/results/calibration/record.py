"""A calibration: what one job measured, from which steps of other jobs can be predicted."""

from typing import Annotated

from msgspec import Meta

from study.results.calibration.host import HostRun
from study.results.calibration.layers import (
    BurstTime,
    GpuTime,
    LayerKind,
    LayerTime,
    LoadedTime,
    MeasuredSizes,
    MemoryBesideTorch,
    UpdateTime,
)
from study.results.calibration.links import (
    AlternatingTime,
    BesideTime,
    CollectiveTime,
    MessageTime,
    TransferTime,
)
from study.results.layers import Note
from study.results.record import Count, Record, Seconds

MOST = Meta(max_length=10_000)  # entries of a kind


class Calibration(Record, frozen=True):
    """Seconds of all that a step is made of, on the machine that the result's environment names.

    `gpus` and `nodes` are those of the job: one GPU has the layers, several have what passes
    between them, and some layers on each. What was not measured is empty. `left_out` says in
    sentences what is missing that was asked for, and why. `measuring_s` is how long it took.
    """

    gpus: Count
    nodes: Count
    measuring_s: Seconds
    kinds: Annotated[tuple[LayerKind, ...], MOST] = ()
    layers: Annotated[tuple[LayerTime, ...], MOST] = ()
    each_gpu: Annotated[tuple[GpuTime, ...], MOST] = ()
    alternating: Annotated[tuple[AlternatingTime, ...], MOST] = ()
    updates: Annotated[tuple[UpdateTime, ...], MOST] = ()
    loaded: Annotated[tuple[LoadedTime, ...], MOST] = ()
    bursts: Annotated[tuple[BurstTime, ...], MOST] = ()
    host: Annotated[tuple[HostRun, ...], MOST] = ()
    messages: Annotated[tuple[MessageTime, ...], MOST] = ()
    collectives: Annotated[tuple[CollectiveTime, ...], MOST] = ()
    beside: Annotated[tuple[BesideTime, ...], MOST] = ()
    transfers: Annotated[tuple[TransferTime, ...], MOST] = ()
    memory: Annotated[tuple[MemoryBesideTorch, ...], MOST] = ()
    sizes: Annotated[tuple[MeasuredSizes, ...], MOST] = ()
    left_out: Annotated[tuple[Note, ...], MOST] = ()

    @property
    def under_load(self) -> tuple[LoadedTime, ...]:
        """Layers under each load, in short whiles and in bursts."""
        return (*self.loaded, *self.bursts)

    @property
    def is_whole(self) -> bool:
        """True if nothing that was asked for is missing."""
        return not self.left_out
