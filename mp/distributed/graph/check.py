"""The check of graphs before timing: a small model trained by one, and by eager steps."""

from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec
import torch
from torch.distributed.tensor import DTensor

from mp.distributed.graph.evidence import TOLERANCES, are_close, mean_of
from mp.distributed.graph.step import (
    GraphedStep,
    RankStep,
    draw_alike,
    losses_of,
    raise_together,
    warm_up,
)
from mp.distributed.world import World
from study.case import Case

ROWS = 4  # of a micro-batch, or of a GPU's part of the batch
STEPS = 3  # after the warm-up, which is the same for both
OF_UPDATE = 0.02  # of what training changed, up to which weights may differ
ULPS = 4  # of a weight, which rounds in each of the steps


@dataclass
class _Training:
    """Losses of some steps of this rank, and its parameters before and after them."""

    losses: list[float | None] = field(default_factory=list)
    before: list[torch.Tensor] = field(default_factory=list)
    after: list[torch.Tensor] = field(default_factory=list)


def check_graph(
    small: Case,
    build: Callable[[Case], RankStep],
    world: World,
    make: Callable[[RankStep, World], GraphedStep] = GraphedStep,
) -> None:
    """Train a small model for some steps both ways; losses and weights must be equal.

    Args:
        small: the case in small, as its kind of model has it.
        build: builds this rank's step of a case.
        world: all ranks.
        make: captures a step.

    Raises:
        CaseError: on every rank, if a step cannot be captured, or trains otherwise than eager.
    """
    case = msgspec.structs.replace(small, batch_size=ROWS * small.parts)
    eager, graphed = _train_eagerly(build(case), world), _train_by_graph(build(case), world, make)
    raise_together(world, _find_difference(case, eager, graphed))


def _train_eagerly(step: RankStep, world: World) -> _Training:
    done = _Training(before=_weights(step))
    warm_up(step, world)
    draw_alike(step, world)
    for _ in range(STEPS):
        step()
        done.losses.append(mean_of(losses_of(step)))
    done.after = _weights(step)
    return done


def _train_by_graph(
    step: RankStep, world: World, make: Callable[[RankStep, World], GraphedStep]
) -> _Training:
    done = _Training(before=_weights(step))
    graphed = make(step, world)  # warms up as eager steps do, and trains one step by the graph
    done.losses.append(mean_of(graphed.losses))
    for _ in range(STEPS - 1):
        graphed()
        done.losses.append(mean_of(graphed.losses))
    done.after = _weights(step)
    graphed.release()
    return done


def _weights(step: RankStep) -> list[torch.Tensor]:
    """Return copies of this rank's parameters, or of its shares of them."""
    found = dict.fromkeys(p for layer in step.layers().values() for p in layer.parameters())
    with torch.no_grad():
        return [(p.to_local() if isinstance(p, DTensor) else p).float().clone() for p in found]


def _find_difference(case: Case, eager: _Training, graphed: _Training) -> str | None:
    """Return in words how training by the graph differed; None if it did not."""
    tolerance = TOLERANCES[case.dtype]
    for number, (loss, its) in enumerate(zip(eager.losses, graphed.losses, strict=True), 1):
        if loss is not None and not are_close(loss, its, tolerance):
            return f"the graph's loss of step {number} is {its}, that of eager steps {loss}"
    precision = torch.finfo(torch.bfloat16 if case.dtype == "bfloat16" else torch.float32).eps
    for before, expected, found in zip(eager.before, eager.after, graphed.after, strict=True):
        allowed = OF_UPDATE * _largest(expected - before) + ULPS * precision * _largest(expected)
        off = _largest(found - expected)
        if not off <= allowed and bool(expected.isfinite().all()):
            return (
                f"a weight differs by {off:.2g} after {STEPS} steps of a graph and of eager steps"
            )
    return None


def _largest(x: torch.Tensor) -> float:
    return float(x.abs().max().item()) if x.numel() else 0.0
