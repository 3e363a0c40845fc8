"""One step of tiny layers: when the host was in which action, and to whom it sent how often."""

from collections import defaultdict
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

from mp.distributed.data.step import DataParallelStep
from mp.distributed.pipeline import PipelineStep
from mp.distributed.step_listener import SILENT, StepListener
from mp.engine import Communicator
from study.results.calibration.host import HostKind
from study.results.measurement import SpanKind
from study.results.result import Phase

KINDS: dict[SpanKind, HostKind] = {
    "forward": "forward",
    "backward": "backward",
    "input_gradient": "input_gradient",
    "weight_gradient": "weight_gradient",
    "scaling": "scaling",
    "optimizer": "optimizer",
}


@dataclass
class Recorder(StepListener):
    """Notes when the host was in which action, and to whom it sent how often.

    Attributes:
        puts_off: whether the first stage has its whole backward as its weight gradients.
        spans: the name of each action, None of one that is none, its begin and its end.
        sends: by rank.
    """

    puts_off: bool = False
    spans: list[list[Any]] = field(default_factory=list)
    sends: dict[int, int] = field(default_factory=lambda: defaultdict(int))

    def begin(
        self, kind: SpanKind, stage: int | None = None, micro_batch: int | None = None
    ) -> None:
        """Start an action."""
        name: str | None = KINDS.get(kind)
        if self.puts_off and stage == 0:
            name = {"weight_gradient": "backward", "input_gradient": None}.get(kind, name)
        now = perf_counter()
        self.spans.append([name, now, now])

    def end(self) -> None:
        """End it."""
        self.spans[-1][2] = perf_counter()

    def extend(self) -> None:
        """Move the end of the last action to now."""
        self.end()

    def on_send(self, phase: Phase, stage: int, operations: list[Any]) -> None:
        """Count sends by the rank that gets them."""
        for operation in operations:
            self.sends[operation.peer] += 1


def time_step(step: Any, world: Communicator, recorder: Recorder) -> float:
    """Return the seconds of a step, and have its actions recorded.

    Args:
        step: this rank's part.
        world: all ranks.
        recorder: of this step.
    """
    world.devices.synchronize()
    world.all_reduce_max(0.0)  # begin together
    began = perf_counter()
    if isinstance(step, PipelineStep):
        _run_pipeline(step, recorder, began)
    elif isinstance(step, DataParallelStep):
        _run_in_turn(step, recorder)
    else:
        step()
    world.devices.synchronize()
    return perf_counter() - began


def _run_pipeline(step: PipelineStep, recorder: Recorder, began: float) -> None:
    """Run a step, and name what only a whole step tells.

    `before` comes before its first action, `first` is that action if it is a forward, and `between`
    is what none has.
    """
    step.listen(recorder)
    step.compute_gradients()
    computed = perf_counter()
    step.listen(SILENT)
    actions = [span for span in recorder.spans if span[0] is not None]
    before_s = (recorder.spans[0][1] if recorder.spans else computed) - began
    between_s = computed - began - before_s - sum(ended - begun for _, begun, ended in actions)
    recorder.begin("optimizer")
    step.optimizer.step()
    recorder.end()
    recorder.spans.append(["before", 0.0, before_s])
    if actions and actions[0][0] == "forward":
        recorder.spans.append(["first", *actions[0][1:]])
    recorder.spans.append(["between", 0.0, between_s])


def _run_in_turn(step: DataParallelStep, recorder: Recorder) -> None:
    """Run a step of data parallelism: forward, backward, and the optimizer."""
    recorder.begin("forward")
    loss = step.forward()
    recorder.end()
    recorder.begin("backward")
    loss.backward()
    recorder.end()
    recorder.begin("optimizer")
    step.optimizer.step()
    recorder.end()
