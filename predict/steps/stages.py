"""Computing of each stage: which layers it has, and what an action on them takes."""

from collections.abc import Iterator
from functools import cached_property

from predict.costs.cuts import Cut, cuts_by_time, is_cut_by_time
from predict.costs.layers import LOSS, LayerTimes
from predict.costs.shapes import parameter_bytes
from predict.costs.work import Work
from predict.memory.places import gpu_of_layer, stage_of_layer
from predict.orders.action import Kind
from study.case import Case
from study.results.calibration.layers import LayerAction
from study.results.calibration.timing import Timing
from study.results.layers import ModelProfile
from study.schedules import IN_TWO_PARTS, SCHEDULES
from study.stages import chunks_of

KINDS_OF_WORK: dict[bool, tuple[Kind, ...]] = {
    False: ("forward", "backward"),
    True: ("forward", "input_gradient", "weight_gradient"),
}
LAUNCHED: dict[Kind, LayerAction] = {
    "forward": "forward",
    "backward": "backward_later",
    "input_gradient": "input_gradient",
    "weight_gradient": "weight_later",
}


class Stages:
    """The layers of each stage of a case and their times; a naive case has a stage for each GPU.

    Args:
        times: of the layers.
        model: the sizes of the layers; None where they follow from the case, or are unknown.
    """

    def __init__(self, times: LayerTimes, model: ModelProfile | None = None) -> None:
        self.times, self.case, self.model = times, times.case, model
        self.gpu_of_stage = SCHEDULES[self.case.schedule].gpu_of_stage(
            self.case.pipeline_gpus, chunks_of(self.case)
        )

    @property
    def puts_off(self) -> bool:
        """True if the first stage computes all gradients where others compute those of weights.

        torch computes nothing in the first part of a backward whose input needs no gradient.
        """
        return self.case.schedule in IN_TWO_PARTS and self.case.gradients == "separate"

    @cached_property
    def layers(self) -> list[list[int]]:
        """The numbers of the layers of each stage, in order."""
        of_layer = self._stage_of_layer(self.case)
        return [
            [number for number, its in enumerate(of_layer) if its == stage]
            for stage in range(len(self.gpu_of_stage))
        ]

    def _stage_of_layer(self, case: Case) -> list[int]:
        if not SCHEDULES[case.schedule].is_pipeline:
            return gpu_of_layer(case)
        if not is_cut_by_time(case):
            return stage_of_layer(case, self.model)[0]
        return list(self.cuts[0])

    @cached_property
    def cuts(self) -> tuple[Cut, ...]:
        """The cuts that a job may make where it goes by time, the likeliest first."""
        return cuts_by_time(self.case, self.times.calibration)

    def kinds(self) -> tuple[Kind, ...]:
        """Return the kinds of actions of the schedule."""
        return KINDS_OF_WORK[self.case.schedule in IN_TWO_PARTS]

    def work(self, kind: Kind, stage: int, *, is_first: bool) -> Work:
        """Return what an action computes.

        Args:
            kind: of the action.
            stage: of the model.
            is_first: whether the micro-batch is the first, which makes the gradients.
        """
        return Work.of(self._timings(kind, stage, is_first))

    def _timings(self, kind: Kind, stage: int, is_first: bool) -> Iterator[Timing]:
        layers = [*self.layers[stage], *([LOSS] if stage == len(self.gpu_of_stage) - 1 else [])]
        is_put_off = stage == 0 and self.puts_off
        if kind == "forward":
            yield from (self.times.time(layer, "forward") for layer in layers)
        elif kind == "backward" or (kind == "weight_gradient" and is_put_off):
            yield from self._backwards(layers, is_first)
        elif kind == "input_gradient" and not is_put_off:
            yield from self._input_gradients(layers)
        elif kind == "weight_gradient":
            yield from self._weight_gradients(layers, is_first)

    def _backwards(self, layers: list[int], is_first: bool) -> Iterator[Timing]:
        trained = (layer for layer in layers if self.times.learns(layer))
        yield from (self._backward(layer, is_first) for layer in trained)

    def _backward(self, layer: int, is_first: bool) -> Timing:
        wanted: LayerAction = "backward_first" if is_first else "backward_later"
        other: LayerAction = "backward_later" if is_first else "backward_first"
        found = self.times.find(layer, wanted)
        if found is None and not (layer != LOSS and self.times.kind(layer).parameters):
            found = self.times.find(layer, other) or self.times.find(layer, "input_gradient")
        return found or self.times.time(layer, wanted)

    def _input_gradients(self, layers: list[int]) -> Iterator[Timing]:
        for layer in filter(self.times.learns, layers):
            if layer == LOSS or not self.times.kind(layer).parameters:
                yield self.times.find(layer, "input_gradient") or self._backward(layer, True)
            elif layer:
                yield self.times.time(layer, "input_gradient")

    def _weight_gradients(self, layers: list[int], is_first: bool) -> Iterator[Timing]:
        action: LayerAction = "weight_first" if is_first else "weight_later"
        for layer in filter(self.times.learns, layers):
            if layer != LOSS and self.times.kind(layer).parameters:
                found = self.times.find(layer, action)
                # The first layer's backward is that of its weights alone.
                yield found or (
                    self.times.time(layer, action) if layer else self._backward(layer, is_first)
                )

    def launching_s(self, kind: Kind, stage: int) -> float:
        """Return what a process takes to launch the layers of a stage in one action.

        Args:
            kind: of the action.
            stage: of the model.
        """
        is_whole = kind == "weight_gradient" and stage == 0 and self.puts_off
        action = LAUNCHED["backward" if is_whole else kind]
        return sum(self.times.launching_s(layer, action) for layer in self.layers[stage])

    def of_gpu(self, gpu: int) -> list[int]:
        """Return the layers of a GPU of the first replica, by its place in the pipeline."""
        return [
            layer
            for stage, place in enumerate(self.gpu_of_stage)
            if place == gpu
            for layer in self.layers[stage]
        ]

    def parameter_bytes(self, gpu: int) -> int:
        """Return the bytes of the parameters of a GPU, by its place in the pipeline."""
        return parameter_bytes(self.times, self.of_gpu(gpu), self.model)
