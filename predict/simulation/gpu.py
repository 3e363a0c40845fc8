"""One GPU of the event model: its queue of actions and waits, and its queues of posts."""

from dataclasses import dataclass

from predict.orders.action import Action
from predict.orders.program import Message, Operation, Post, Program, Wait, needed_by
from predict.simulation.costs import Costs
from predict.simulation.host import Asked


@dataclass
class PostState:
    """A post of messages.

    Attributes:
        operations: its ends of messages.
        after: the position of the GPU's queue of actions from which on it may be under way.
        asked_s: when the process has asked for it.
        left: messages that have not ended.
        queue: the one that it is in; None where messages have no queues.
        is_under_way: whether it has begun.
        slows: whether computing is slowed: while a receive waits, and while a message goes on. A
            send that waits for its receiver does not: NCCL has put it into a buffer there.
    """

    operations: tuple[Operation, ...]
    after: int
    asked_s: float
    left: int
    queue: int | None
    is_under_way: bool = False
    slows: bool = False


class Gpu:
    """A GPU with what it does and has to do.

    Args:
        number: of the GPU.
        program: what is asked of it.
        asked: when.
        costs: of what is asked.

    Attributes:
        queues: posts, the next one last.
        leaving: without queues, the GPU that each message of this one goes to.
        arriving: without queues, what waits for each message to this one.
        position: how many of the actions and waits are done.
        posts_that_slow: how many there are now.
        running: the action that it computes now.
        begun_s: when that began, or the last one did.
        busy_s: seconds of all that have ended.
        work_s: what these take with nothing beside them.
        free_s: when the last action or wait ended.
        version: counts changes of when the running action ends.
    """

    def __init__(self, number: int, program: Program, asked: Asked, costs: Costs) -> None:
        self.number, self.costs = number, costs
        self.queues: list[list[PostState]] = []
        self.leaving: dict[Message, int] = {}
        self.arriving: dict[Message, PostState] = {}
        self.position = self.posts_that_slow = self.version = 0
        self.running: Action | None = None
        self.begun_s = self.busy_s = self.work_s = self.free_s = 0.0
        self._asked = asked
        self._items: list[Action | PostState] = []
        self._actions = 0  # that have begun
        self._left_s = self._since_s = self._end_s = 0.0
        self._pace = 1.0
        if costs.queues == "none":
            self._fill_without_queues(program)
        else:
            self._fill(program)

    def _fill_without_queues(self, program: Program) -> None:
        for call in program.calls:
            if isinstance(call, Action):
                received = self.arriving.get(needed_by(call))
                if received is not None and call.kind != "weight_gradient":
                    self._items.append(received)
                self._items.append(call)
            elif isinstance(call, Post):
                for operation in call.operations:
                    if operation.sends:
                        self.leaving[operation.message] = operation.peer
                    else:
                        state = PostState((operation,), 0, 0.0, 1, None)
                        self.arriving[operation.message] = state

    def _fill(self, program: Program) -> None:
        posts: list[PostState] = []
        numbers: dict[int | None, int] = {}
        for call in program.calls:
            if isinstance(call, Action):
                self._items.append(call)
            elif isinstance(call, Wait):
                self._items.append(posts[call.post])
            else:
                queue = numbers.setdefault(self._queue_of(call), len(numbers))
                asked_s = self._asked.posts[len(posts)]
                size = len(call.operations)
                posts.append(PostState(call.operations, len(self._items), asked_s, size, queue))
        self.queues = [[] for _ in numbers]
        for post in reversed(posts):
            if post.queue is not None:
                self.queues[post.queue].append(post)

    def _queue_of(self, post: Post) -> int | None:
        """Return the peer whose queue a post is in; None for the one of the GPU itself."""
        one_way = len({operation.sends for operation in post.operations}) == 1
        return post.operations[0].peer if self.costs.queues == "pair" and one_way else None

    @property
    def is_done(self) -> bool:
        """True once nothing is left to do."""
        return self.position == len(self._items) and not any(self.queues)

    def begin_action(self, now: float) -> float | None:
        """Pass the waits that are over and begin the next action.

        Returns:
            When to look again, if the process has not asked for it yet.
        """
        items = self._items
        while self.running is None and self.position < len(items):
            item = items[self.position]
            if isinstance(item, PostState):
                if item.left:
                    return None
                self.position += 1
                self.free_s = now
                continue
            asked_s, self._end_s = self._asked.actions[self._actions]
            if asked_s > now:
                return asked_s
            self._actions += 1
            self.running, self.begun_s, self._since_s = item, now, now
            self._left_s, self._pace = self.costs.seconds(item), 0.0
        return None

    def set_pace(self, now: float) -> float | None:
        """Go on at the pace that the posts under way allow; return a new end of the action."""
        if self.running is None:
            return None
        pace = self.costs.slowed(self.running, self.posts_that_slow)
        if pace == self._pace:
            return None
        if self._pace:
            self._left_s -= (now - self._since_s) / self._pace
        self._pace, self._since_s = pace, now
        self.version += 1
        return max(now + max(self._left_s, 0.0) * pace, self._end_s)

    def end_action(self, now: float) -> Action:
        """Count the running action as done, and return it."""
        action = self.running
        assert action is not None, "an action runs that ends"
        self.running = None
        self.position += 1
        self.busy_s += now - self.begun_s
        self.work_s += self.costs.seconds(action)
        self.free_s = now
        return action

    def end_post(self, post: PostState) -> None:
        """Count a post as done."""
        if post.queue is not None:
            self.queues[post.queue].pop()
        self.posts_that_slow -= post.slows

    def slow(self, post: PostState) -> None:
        """Let a post slow computing until it is done, where messages have queues."""
        if post.queue is not None and not post.slows:
            post.slows = True
            self.posts_that_slow += 1
