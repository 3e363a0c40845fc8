"""Timelines of a step: spans of compute and transfer on every GPU.

GPU 0   forward  out                                    in  backward  optimizer
GPU 1            in  forward  backward  out                           optimizer
"""

from dataclasses import dataclass
from typing import Literal

from study.results.measurement import Breakdown, GpuTime, SpanKind, TimeSpan

GRADIENTS: tuple[SpanKind, ...] = ("backward", "input_gradient", "weight_gradient")
UPDATE: tuple[SpanKind, ...] = ("scaling", "optimizer")
RECEIVING: tuple[SpanKind, ...] = ("transfer_in", "collective")


@dataclass(frozen=True)
class Span:
    """An action of one GPU, in seconds since the step's start.

    A transfer is two spans, one on each side, with the other GPU as `peer`, and a `number`. In a
    pipeline a span of compute is for one stage and micro-batch, and of a transfer, which goes on
    beside the computing, there is only what the receiver waits for. A `collective` is the wait for
    this `operation`, where it is known.
    """

    gpu: int
    kind: SpanKind
    start_s: float
    end_s: float
    peer: int | None = None
    bytes: int = 0
    number: int | None = None
    stage: int | None = None
    micro_batch: int | None = None
    operation: str | None = None

    @property
    def seconds(self) -> float:
        """The duration."""
        return self.end_s - self.start_s


@dataclass(frozen=True)
class Timeline:
    """One instrumented step.

    `step_s` is on the host's clock, from all devices idle to all devices idle; `ends_s` holds, for
    each GPU, the same span on its own clock. `phase_ends_s` are the ends of forward and backward,
    where they follow one another. `plain_step_s` is the time of a timed step right before it.
    As it began, the clocks of two GPUs agreed to within `clock_error_s`.
    """

    spans: list[Span]
    step_s: float
    ends_s: list[float]
    phase_ends_s: tuple[float, float] | None = None
    plain_step_s: float | None = None
    clock_error_s: float | None = None

    def seconds(self, gpu: int, kind: SpanKind) -> float:
        """Return the seconds that this GPU spent on this kind of work."""
        return sum(span.seconds for span in self.spans if (span.gpu, span.kind) == (gpu, kind))

    def idle_s(self, gpu: int) -> float:
        """Return the rest of the step on the GPU's own clock."""
        return self.ends_s[gpu] - sum(span.seconds for span in self.spans if span.gpu == gpu)

    def phases_s(self) -> tuple[float, float, float]:
        """Return the seconds of forward, backward and optimizer; they add up to the step."""
        assert self.phase_ends_s is not None
        forward_end, backward_end = self.phase_ends_s
        return forward_end, backward_end - forward_end, self.step_s - backward_end


def break_down(timelines: list[Timeline], clock: Literal["cuda_events", "host"]) -> Breakdown:
    """Return the seconds of every GPU by kind, for each step, and the spans of a typical one."""
    gpus = range(len(timelines[0].ends_s))
    plain = [timeline.plain_step_s for timeline in timelines]
    errors = [timeline.clock_error_s for timeline in timelines]
    return Breakdown(
        clock=clock,
        step_times_s=[timeline.step_s for timeline in timelines],
        plain_step_times_s=None if None in plain else [s for s in plain if s is not None],
        clock_error_s=max((e for e in errors if e is not None), default=None),
        per_gpu=[
            GpuTime(
                index=gpu,
                forward_s=[t.seconds(gpu, "forward") for t in timelines],
                backward_s=[sum(t.seconds(gpu, kind) for kind in GRADIENTS) for t in timelines],
                weight_gradient_s=_seconds_if_any(timelines, gpu, "weight_gradient"),
                optimizer_s=[sum(t.seconds(gpu, kind) for kind in UPDATE) for t in timelines],
                transfer_in_s=[sum(t.seconds(gpu, kind) for kind in RECEIVING) for t in timelines],
                transfer_out_s=[t.seconds(gpu, "transfer_out") for t in timelines],
                idle_s=[t.idle_s(gpu) for t in timelines],
            )
            for gpu in gpus
        ],
        typical_step=[
            TimeSpan(
                gpu=span.gpu,
                kind=span.kind,
                start_s=span.start_s,
                end_s=span.end_s,
                peer=span.peer,
                stage=span.stage,
                micro_batch=span.micro_batch,
            )
            for span in _typical(timelines).spans
        ],
    )


def dependencies(spans: list[Span]) -> list[tuple[Span, Span]]:
    """Return (producer, consumer) for all data that crossed between stages of two GPUs."""
    made = {(s.kind == "forward", s.stage, s.micro_batch): s for s in spans if _makes_data(s)}
    pairs = [(made[need], span) for span in spans if (need := _needs(span)) in made]
    return [(maker, user) for maker, user in pairs if maker.gpu != user.gpu]


def _makes_data(span: Span) -> bool:
    """Return whether another stage waits for the output."""
    return span.stage is not None and span.kind != "weight_gradient"


def _needs(span: Span) -> tuple[bool, int, int | None] | None:
    """Return the action whose output this one needs: (is it a forward, stage, micro-batch)."""
    if span.stage is None or not _makes_data(span):
        return None
    is_forward = span.kind == "forward"
    return is_forward, span.stage + (-1 if is_forward else 1), span.micro_batch


def _seconds_if_any(timelines: list[Timeline], gpu: int, kind: SpanKind) -> list[float] | None:
    seconds = [timeline.seconds(gpu, kind) for timeline in timelines]
    return seconds if any(seconds) else None


def _typical(timelines: list[Timeline]) -> Timeline:
    """Return the step of median length."""
    ranked = sorted(timelines, key=lambda timeline: timeline.step_s)
    return ranked[len(ranked) // 2]
