"""One step, event by event: actions, messages in queues, computing slowed by them, and the host.

A GPU has a queue of actions and waits, and one or several of posts. An action begins once what was
before it is done and the process has begun to ask for it, and ends no earlier than the process has
asked for all of it. A post is under way once it is asked for, what was asked of the GPU before it
is done, and its queue is free; each of its messages starts when both ends are under way.
"""

from collections.abc import Callable, Sequence
from functools import partial
from heapq import heappop, heappush

from predict.orders.program import Message, Program, made_by
from predict.simulation.costs import Costs, Ending
from predict.simulation.gpu import Gpu, PostState
from predict.simulation.host import when_asked
from predict.simulation.result import GpuUse, Simulated
from study.results.measurement import SpanKind, TimeSpan


def simulate(programs: Sequence[Program], costs: Costs, *, with_spans: bool = False) -> Simulated:
    """Return the step that these programs make.

    Args:
        programs: of each GPU.
        costs: of what they ask for.
        with_spans: whether to list all activities; takes memory.

    Raises:
        ValueError: if the programs wait for one another.
    """
    return _Step(programs, costs, with_spans).run()


_End = tuple[Gpu, PostState]  # of a message


class _Step:
    """The state of all GPUs at one moment, and what happens next."""

    def __init__(self, programs: Sequence[Program], costs: Costs, with_spans: bool) -> None:
        asked = when_asked(programs, costs.host)
        self.costs, self.now = costs, 0.0
        self.gpus = [
            Gpu(number, program, each, costs)
            for number, (program, each) in enumerate(zip(programs, asked, strict=True))
        ]
        self.asked = asked
        self.under_way: dict[Message, _End] = {}  # one end waits for the other
        self.spans: list[TimeSpan] | None = [] if with_spans else None
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0

    def run(self) -> Simulated:
        """Play all events."""
        for gpu in self.gpus:
            self._settle(gpu)
        while self._events:
            self.now, _, happens = heappop(self._events)
            happens()
        if any(not gpu.is_done for gpu in self.gpus):
            raise ValueError("the programs of the GPUs wait for one another")
        return self._result()

    def _at(self, time: float, happens: Callable[[], None]) -> None:
        self._count += 1
        heappush(self._events, (time, self._count, happens))

    def _settle(self, gpu: Gpu) -> None:
        """Begin all that can begin on a GPU now."""
        if (wake := gpu.begin_action(self.now)) is not None:
            self._at(wake, partial(self._settle, gpu))
        for queue in gpu.queues:
            self._begin_post(gpu, queue)
        self._set_pace(gpu)

    def _begin_post(self, gpu: Gpu, queue: list[PostState]) -> None:
        """Let the first post of a queue be under way, if it can."""
        if not queue or queue[-1].is_under_way or queue[-1].after > gpu.position:
            return
        post = queue[-1]
        if post.asked_s > self.now:
            self._at(post.asked_s, partial(self._settle, gpu))
            return
        post.is_under_way = True
        if any(not operation.sends for operation in post.operations):
            gpu.slow(post)
        for operation in post.operations:
            other = self.under_way.pop(operation.message, None)
            if other is None:
                self.under_way[operation.message] = (gpu, post)
            else:
                ends = ((gpu, post), other) if operation.sends else (other, (gpu, post))
                self._begin_message(operation.message, ends)

    def _begin_message(self, message: Message, ends: tuple[_End, _End]) -> None:
        source, target = ends[0][0].number, ends[1][0].number
        for gpu, post in ends:
            gpu.slow(post)
            self._set_pace(gpu)
        end_s = self.now + self.costs.message_s(message, source, target)
        self._at(end_s, partial(self._end_message, message, ends, self.now))

    def _end_message(self, message: Message, ends: tuple[_End, _End], start_s: float) -> None:
        target = ends[1][0].number
        self._note(target, "transfer_in", start_s, message.stage, message.micro_batch)
        for gpu, post in ends:
            post.left -= 1
            if not post.left:
                gpu.end_post(post)
        for gpu, _ in ends:
            self._settle(gpu)

    def _set_pace(self, gpu: Gpu) -> None:
        """Note when the running action ends, if that has changed."""
        if (end := gpu.set_pace(self.now)) is not None:
            self._at(end, partial(self._end_action, gpu, gpu.version))

    def _end_action(self, gpu: Gpu, version: int) -> None:
        if version != gpu.version or gpu.running is None:
            return
        action = gpu.end_action(self.now)
        self._note(gpu.number, action.kind, gpu.begun_s, action.stage, action.micro_batch)
        if gpu.leaving and action.kind != "weight_gradient":
            self._let_go(gpu, made_by(action))
        self._settle(gpu)

    def _let_go(self, gpu: Gpu, message: Message) -> None:
        """Begin a message without queues, if it goes to another GPU."""
        if (target := gpu.leaving.get(message)) is not None:
            there = self.gpus[target]
            sent = PostState((), 0, 0.0, 1, None)
            self._begin_message(message, ((gpu, sent), (there, there.arriving[message])))

    def _note(self, gpu: int, kind: SpanKind, start_s: float, stage: int, i: int) -> None:
        if self.spans is not None:
            span = TimeSpan(
                gpu=gpu, kind=kind, start_s=start_s, end_s=self.now, stage=stage, micro_batch=i
            )
            self.spans.append(span)

    def _result(self) -> Simulated:
        uses, ends = [], []
        for gpu, asked in zip(self.gpus, self.asked, strict=True):
            ending = self.costs.ending(gpu.number)
            start_s = gpu.free_s
            self._note_ending(gpu.number, ending, start_s)
            ends.append(max(start_s + ending.total_s, asked.end_s))
            ending_s = ending.scaling_s + ending.optimizer_s
            uses.append(GpuUse(gpu.busy_s + ending_s, asked.end_s, gpu.work_s + ending_s))
        return Simulated(max(ends), tuple(uses), tuple(self.spans or ()))

    def _note_ending(self, gpu: int, ending: Ending, start_s: float) -> None:
        parts: tuple[tuple[SpanKind, float], ...] = (
            ("scaling", ending.scaling_s),
            ("collective", ending.collective_s),
            ("optimizer", ending.optimizer_s),
        )
        for kind, seconds in parts if self.spans is not None else ():
            if seconds and self.spans is not None:
                end_s = start_s + seconds
                self.spans.append(TimeSpan(gpu=gpu, kind=kind, start_s=start_s, end_s=end_s))
            start_s += seconds
