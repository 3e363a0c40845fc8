"""Where a step's time went: spans of compute and transfer on every GPU.

GPU 0   forward  out                                    in  backward  optimizer
GPU 1            in  forward  backward  out                           optimizer
"""

from dataclasses import dataclass
from typing import Literal

from study.measurement import Breakdown, GpuTime, SpanKind, TimeSpan


@dataclass(frozen=True)
class Span:
    """Something that one GPU did, in seconds since the step's start.

    A transfer is two spans, one on each side, with the other GPU as `peer`, and a `number`.
    """

    gpu: int
    kind: SpanKind
    start_s: float
    end_s: float
    peer: int | None = None
    bytes: int = 0
    number: int | None = None

    @property
    def seconds(self) -> float:
        """How long it took."""
        return self.end_s - self.start_s


@dataclass(frozen=True)
class Timeline:
    """One instrumented step.

    `step_s` is on the host's clock, from all devices idle to all devices idle; `ends_s` holds, for
    each GPU, the same span on its own clock. `phase_ends_s` are the ends of forward and backward.
    """

    spans: list[Span]
    step_s: float
    ends_s: list[float]
    phase_ends_s: tuple[float, float]

    def seconds(self, gpu: int, kind: SpanKind) -> float:
        """What this GPU spent on this kind of work."""
        return sum(span.seconds for span in self.spans if (span.gpu, span.kind) == (gpu, kind))

    def idle_s(self, gpu: int) -> float:
        """What is left of the step on the GPU's own clock."""
        return self.ends_s[gpu] - sum(span.seconds for span in self.spans if span.gpu == gpu)

    def phases_s(self) -> tuple[float, float, float]:
        """Forward, backward and optimizer of the whole step; they add up to it."""
        forward_end, backward_end = self.phase_ends_s
        return forward_end, backward_end - forward_end, self.step_s - backward_end


def break_down(timelines: list[Timeline], clock: Literal["cuda_events", "host"]) -> Breakdown:
    """The sums of every GPU, an entry for each step, and the spans of a typical one."""
    gpus = range(len(timelines[0].ends_s))
    return Breakdown(
        clock=clock,
        step_times_s=[timeline.step_s for timeline in timelines],
        per_gpu=[
            GpuTime(
                index=gpu,
                forward_s=[t.seconds(gpu, "forward") for t in timelines],
                backward_s=[t.seconds(gpu, "backward") for t in timelines],
                optimizer_s=[t.seconds(gpu, "optimizer") for t in timelines],
                transfer_in_s=[t.seconds(gpu, "transfer_in") for t in timelines],
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
            )
            for span in _typical(timelines).spans
        ],
    )


def _typical(timelines: list[Timeline]) -> Timeline:
    """The step of median length."""
    ranked = sorted(timelines, key=lambda timeline: timeline.step_s)
    return ranked[len(ranked) // 2]
