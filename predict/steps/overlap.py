"""Computing and collectives of one GPU side by side: a queue of each, and the process that asks."""

from dataclasses import dataclass, field


@dataclass
class SideBySide:
    """A GPU that computes while collectives go one after another.

    Attributes:
        now: when computing comes to its next part.
        asked_s: when the process comes to its next part; it waits for no GPU.
        computed_s: seconds of computing so far, slowed ones included.
        work_s: the same with nothing beside it, and copying.
        idle_s: seconds of waiting for launches so far.
    """

    now: float = 0.0
    asked_s: float = 0.0
    computed_s: float = 0.0
    work_s: float = 0.0
    idle_s: float = 0.0
    _busy: list[tuple[float, float]] = field(default_factory=list)

    def collect(self, seconds: float, ready_s: float | None = None) -> float:
        """Add a collective to its queue and return when it ends.

        Args:
            seconds: that it takes.
            ready_s: when it can begin; now if None.
        """
        start = max(self.free_s, self.now if ready_s is None else ready_s)
        self._busy.append((start, start + seconds))
        return start + seconds

    @property
    def free_s(self) -> float:
        """The end of the last collective."""
        return self._busy[-1][1] if self._busy else 0.0

    def wait_until(self, time: float) -> None:
        """Let computing wait."""
        self.now = max(self.now, time)

    def copy(self, seconds: float) -> None:
        """Copy, which draws power as computing does and is counted as waiting.

        Args:
            seconds: that it takes.
        """
        self.now += seconds
        self.work_s += seconds

    def compute(self, seconds: float, slowdown: float = 1.0, launching_s: float = 0.0) -> None:
        """Compute, more slowly where a collective goes on, and no faster than it is asked for.

        Args:
            seconds: with nothing beside it.
            slowdown: how many times as long it takes beside a collective.
            launching_s: what the process takes to ask for it.
        """
        self._wait_for_launch()
        begun = self.now
        self.asked_s += launching_s
        self.work_s += seconds
        left = seconds
        for start, end in self._busy:
            if end <= self.now:
                continue
            alone = min(left, max(0.0, start - self.now))
            self.now, left = self.now + alone, left - alone
            if not left:
                break
            beside = min(left * slowdown, end - self.now)
            self.now, left = self.now + beside, left - beside / slowdown
        self.now += max(0.0, left)
        self.computed_s += self.now - begun
        self._wait_for_launch()

    def _wait_for_launch(self) -> None:
        self.idle_s += max(0.0, self.asked_s - self.now)
        self.now = max(self.now, self.asked_s)
