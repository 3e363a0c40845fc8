"""The store that all ranks meet by, torch's groups of processes too; the first rank holds it.

torch's own store (TCPStore) believes everybody who reaches its port.
"""

import threading
from datetime import timedelta

import msgspec
import torch.distributed as dist
from torch.distributed.distributed_c10d import Store as TorchStore

from mp.rendezvous.board import Answer, Board, Request
from mp.rendezvous.channel import Channel, Unproven

COME_S = 180.0  # some nodes have yet to read torch from a disk that all share


class DistantBoard:
    """The first rank's board, for any thread of another rank."""

    def __init__(self, channel: Channel) -> None:
        self.channel = channel
        self.lock = threading.Lock()

    def answer(self, request: Request) -> Answer:
        """Let the first rank do the operation, and return what it gives.

        Raises:
            DistNetworkError: the first rank is gone.
        """
        message = msgspec.msgpack.encode(request)
        try:
            with self.lock:
                self.channel.send(message)
                answer: Answer = msgspec.msgpack.decode(self.channel.receive(), type=Answer)
                return answer
        except (OSError, Unproven) as error:
            raise dist.DistNetworkError(f"the first rank is gone: {error}") from None


class Store(TorchStore):
    """torch's interface to a board; for any thread."""

    def __init__(self, board: Board | DistantBoard) -> None:
        super().__init__()
        self.board = board
        self.ask = board.answer

    def set(self, key: str, value: str | bytes) -> None:
        """Set a value."""
        self.ask(Request("set", (key,), (_bytes(value),)))

    def get(self, key: str) -> bytes:
        """Return a value, as soon as it is there.

        Raises:
            DistStoreError: it did not come within `COME_S`.
        """
        answer = self.ask(Request("get", (key,), patience_s=COME_S))
        if not isinstance(answer, bytes):
            raise dist.DistStoreError(f"{key} did not come within {COME_S:.0f} s")
        return answer

    def add(self, key: str, number: int) -> int:
        """Add to a number, which begins at 0, and return the sum."""
        return int(self.ask(Request("add", (key,), number=number)) or 0)

    def check(self, keys: list[str]) -> bool:
        """Return whether all keys are there."""
        return bool(self.ask(Request("check", tuple(keys))))

    def wait(self, keys: list[str], timeout: timedelta = timedelta(seconds=COME_S)) -> None:
        """Return as soon as all keys are there.

        Raises:
            DistStoreError: they did not come in time.
        """
        patience_s = timeout.total_seconds()
        if not self.ask(Request("check", tuple(keys), patience_s=patience_s)):
            raise dist.DistStoreError(f"{', '.join(keys)} did not come within {patience_s:.0f} s")

    def compare_set(self, key: str, expected: str | bytes, desired: str | bytes) -> bytes:
        """Set a value if the old one is as expected.

        Args:
            key: of the value.
            expected: the old value; empty if there is none.
            desired: the new value.

        Returns:
            The value from then on.
        """
        values = (_bytes(expected), _bytes(desired))
        answer = self.ask(Request("compare_set", (key,), values))
        return answer if isinstance(answer, bytes) else b""

    def delete_key(self, key: str) -> bool:
        """Drop a key; return whether it was there."""
        return bool(self.ask(Request("delete", (key,))))

    def clone(self) -> "Store":
        """Return what another thread may use: this."""
        return self


def _bytes(value: str | bytes) -> bytes:
    return value.encode() if isinstance(value, str) else value
