"""A rank's training step, launched as a whole."""

import sys
import time
import traceback
from collections.abc import Callable
from typing import Protocol

import torch

from mp.distributed.data.step import DataParallelStep
from mp.distributed.graph.evidence import Evidence, find_difference, gather_evidence
from mp.distributed.pipeline import PipelineStep
from mp.distributed.tensor import TensorParallelStep
from mp.distributed.world import World
from mp.hardware.memory import release_cache, reset_peaks
from mp.timing.capture import NotCapturable, capture
from study.errors import CaseError

RankStep = PipelineStep | TensorParallelStep | DataParallelStep
WARMUP_STEPS = 3
# With DDP one GPU's graph held all gradients once more: probably the buckets of its first step,
# which torch keeps until a thread has seen their last use. With the pause peaks of a GPT on four
# H200s were those of eager steps.
SETTLE_S = 0.5
DDP_WARMUP_STEPS = 11  # it times its first ten steps, with events that no graph can hold


class Replayable(Protocol):
    """A captured step."""

    def replay(self) -> None:
        """Train one step."""

    def reset(self) -> None:
        """Let go of the graph and its memory."""


class GraphedStep:
    """A step of this rank whose kernels, NCCL's included, are launched by one call.

    All ranks make theirs together and call it as often. It is checked once: from the same weights,
    the graph must find the loss and the gradients of an eager step.

    Args:
        step: this rank's part.
        world: all ranks.
        make: captures a step.

    Attributes:
        losses: of every part of the batch in the step that ran last, where this rank has them.

    Raises:
        CaseError: on every rank, if one cannot capture its step or computes something else.
        torch.OutOfMemoryError: the GPU has no room for the graph.
    """

    def __init__(
        self,
        step: RankStep,
        world: World,
        make: Callable[[Callable[[], None]], Replayable] = capture,
    ) -> None:
        self.eager, self.world = step, world
        warm_up(step, world)
        if isinstance(step, DataParallelStep):
            world.devices.synchronize()
            time.sleep(SETTLE_S)
        draw_alike(step, world)
        step.compute_gradients()
        expected = gather_evidence(losses_of(step), step)
        _let_go(step)
        world.devices.synchronize()
        world.all_reduce_max(0.0)  # nobody waits for another's kernels from here on
        release_cache()
        reset_peaks(world.devices)  # later the graph's tensors do not count as allocated
        self.graph = self._capture(make)
        self.losses = [loss.detach() for loss in losses_of(step)]
        self._check(expected)

    def _capture(self, make: Callable[[Callable[[], None]], Replayable]) -> Replayable:
        graph, reason = None, None
        try:
            graph = make(self.eager)
        except NotCapturable as error:
            traceback.print_exception(error, file=sys.stderr)  # for the job's log
            reason = error.reason
        for rank, its in enumerate(self.world.all_gather(reason, str | None)):
            if its is not None:
                if graph is not None:
                    graph.reset()  # NCCL does not end while a graph has its kernels
                raise NotCapturable(its, f" of rank {rank}")
        assert graph is not None
        return graph

    def _check(self, expected: Evidence) -> None:
        """Train one step by the graph, and compare it with what an eager step found."""
        draw_alike(self.eager, self.world)
        self()
        found = gather_evidence(self.losses, self.eager)
        problem = find_difference(expected, found, self.eager.case.dtype)
        try:
            raise_together(self.world, problem)
        except CaseError:
            self.graph.reset()  # NCCL does not end while a graph has its kernels
            raise

    def __call__(self) -> None:
        """Train one step."""
        self.graph.replay()

    def release(self) -> None:
        """Let go of the graph, so that eager steps find room; all ranks do, after a common step."""
        self.world.devices.synchronize()
        self.world.all_reduce_max(0.0)
        self.losses = []
        _let_go(self.eager)
        self.graph.reset()
        release_cache()


def warm_up(step: RankStep, world: World) -> None:
    """Train eager steps until all that is made once is there: buckets, connections, workspaces."""
    draw_alike(step, world)
    for _ in range(DDP_WARMUP_STEPS if isinstance(step, DataParallelStep) else WARMUP_STEPS):
        step()


def draw_alike(step: RankStep, world: World) -> None:
    """Let the next step draw the random numbers that it would after any other such call."""
    torch.manual_seed(step.case.seed + world.rank)


def losses_of(step: RankStep) -> list[torch.Tensor]:
    """Return the losses of the step that ran last, as tensors; none where other ranks have them."""
    if isinstance(step, PipelineStep):
        return list(step.losses)
    return [] if step.last_loss is None else [step.last_loss]


def raise_together(world: World, problem: str | None) -> None:
    """Raise on every rank what one of them has found.

    Raises:
        CaseError: there is a problem.
    """
    for rank, its in enumerate(world.all_gather(problem, str | None)):
        if its is not None:
            raise CaseError(f"execution: cuda_graph: on rank {rank} {its}; use execution: eager")


def _let_go(step: RankStep) -> None:
    """Drop gradients and losses, whose memory the next step needs."""
    step.optimizer.zero_grad(set_to_none=True)
    if isinstance(step, PipelineStep):
        step.losses.clear()
    else:
        step.last_loss = None
