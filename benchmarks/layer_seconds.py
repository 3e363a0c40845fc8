"""Seconds of a layer, from results on one GPU, for benchmarks/held_out.py."""

from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

from predict.orders.action import Kind
from predict.simulation.costs import ActionSeconds, Ending
from study.results.measurement import Breakdown, Measurement, TimeSpan
from study.results.result import Result


@dataclass(frozen=True)
class Layer:
    """Seconds of one layer on one GPU with one micro-batch.

    Attributes:
        forward: of a layer.
        loss: more of the last stage's forward.
        begin: more of the first forward of a step.
        backward: of a layer, for the first micro-batch and the others.
        input_gradient: of a layer.
        loss_gradient: more of the last stage's gradients.
        ending: scaling and the optimizer, of a layer.
    """

    forward: float
    loss: float
    begin: float
    backward: ActionSeconds
    input_gradient: float
    loss_gradient: float
    ending: Ending

    def work(self, layers: int, kind: Kind, *, is_first: bool, is_last: bool) -> ActionSeconds:
        """Return the seconds of a stage.

        Args:
            layers: of it.
            kind: of the action.
            is_first: whether it is the first stage, which needs no gradient of its input.
            is_last: whether it is the last stage, which has the loss.
        """
        if kind == "forward":
            later = layers * self.forward + is_last * self.loss
            return ActionSeconds(later + is_first * self.begin, later)
        inputs = (layers - is_first) * self.input_gradient + is_last * self.loss_gradient
        if kind == "input_gradient":
            return ActionSeconds(0.0, 0.0) if is_first else ActionSeconds(inputs, inputs)
        rest = [layers * (all_ - self.input_gradient) for all_ in _both(self.backward)]
        if kind == "weight_gradient" and not is_first:
            return ActionSeconds(*rest)
        return ActionSeconds(*(each + inputs for each in rest))


def _both(work: ActionSeconds) -> tuple[float, float]:
    return work.first_s, work.later_s


def measurement_of(result: Result) -> tuple[Measurement, Breakdown]:
    """Return the two, of a result that has both."""
    assert result.measurement is not None
    assert result.measurement.breakdown is not None
    return result.measurement, result.measurement.breakdown


def layer_of(one: dict[tuple[str, int], Result], micro_batches: int) -> Layer:
    """Return what interleaved 1F1B and ZBV on one GPU, of two stages each, say of a layer.

    Args:
        one: results on one GPU, by schedule and micro-batches.
        micro_batches: of those that count.
    """
    spans = measurement_of(one["interleaved_1f1b", micro_batches])[1].typical_step
    layers = one["interleaved_1f1b", micro_batches].case.depth // 2
    zbv = measurement_of(one["zbv", micro_batches])[1].typical_step
    f0, f1 = (_later(spans, "forward", stage) for stage in (0, 1))
    b0, b1 = (_later(spans, "backward", stage) for stage in (0, 1))
    # b0 = n b - i, b1 = n b + g, gradient of the input of stage 1 = n i + g; the shortest of these,
    # because on one GPU, too, a process can be late.
    gradient = _later(zbv, "input_gradient", 1, min)
    i = (gradient - (b1 - b0)) / (layers - 1)
    first = (_first(spans, "backward", 0) + i) / layers
    ends = {span.kind: span for span in spans if span.stage is None}
    last = max(span.end_s for span in spans if span.stage is not None)
    optimizer = ends["optimizer"]
    return Layer(
        forward=f0 / layers,
        loss=f1 - f0,
        begin=max(0.0, _first(spans, "forward", 0) - f0),
        backward=ActionSeconds(first, (b0 + i) / layers),
        input_gradient=i,
        loss_gradient=b1 - b0 - i,
        ending=Ending(
            (optimizer.start_s - last) / layers / 2,
            0.0,
            (optimizer.end_s - optimizer.start_s) / layers / 2,
        ),
    )


def _seconds(spans: list[TimeSpan], kind: str, stage: int) -> list[float]:
    mine = sorted((s for s in spans if s.kind == kind and s.stage == stage),
                  key=lambda s: s.micro_batch or 0)  # fmt: skip
    return [span.end_s - span.start_s for span in mine]


def _first(spans: list[TimeSpan], kind: str, stage: int) -> float:
    return _seconds(spans, kind, stage)[0]


def _later(
    spans: list[TimeSpan], kind: str, stage: int, of: Callable[[list[float]], float] = median
) -> float:
    return of(_seconds(spans, kind, stage)[1:])
