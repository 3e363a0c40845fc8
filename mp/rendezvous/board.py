"""A key-value store in the first rank's memory, asked by all ranks.

The operations are those of torch's key-value store, since torch's groups of processes meet by it.
"""

import threading
from typing import Literal

import msgspec

Operation = Literal["set", "get", "add", "check", "compare_set", "delete"]
Answer = bytes | int | bool | None


class Request(msgspec.Struct, frozen=True, array_like=True):
    """One operation on some keys.

    Attributes:
        values: what is set; for `compare_set` what is expected, then what is set.
        number: what is added.
        patience_s: how long `get` and `check` wait for their keys.
    """

    operation: Operation
    keys: tuple[str, ...]
    values: tuple[bytes, ...] = ()
    number: int = 0
    patience_s: float = 0.0


class Board:
    """The keys and values, for threads of the first rank."""

    def __init__(self) -> None:
        self.values: dict[str, bytes] = {}
        self.changed = threading.Condition()

    def answer(self, request: Request) -> Answer:
        """Do the operation, and return what it gives; None for a key that has not come."""
        with self.changed:
            if request.patience_s > 0:
                self.changed.wait_for(lambda: self._has(request.keys), request.patience_s)
            answer = self._do(request)
            if request.operation not in ("get", "check"):
                self.changed.notify_all()
            return answer

    def _has(self, keys: tuple[str, ...]) -> bool:
        return all(key in self.values for key in keys)

    def _do(self, request: Request) -> Answer:
        key = request.keys[0] if request.keys else ""
        match request.operation:
            case "get":
                return self.values.get(key)
            case "check":
                return self._has(request.keys)
            case "set":
                self.values[key] = request.values[0]
                return None
            case "add":
                total = int(self.values.get(key, b"0")) + request.number
                self.values[key] = str(total).encode()
                return total
            case "compare_set":
                expected, desired = request.values
                if self.values.get(key, b"") == expected:
                    self.values[key] = desired
                return self.values.get(key, expected)
            case "delete":
                return self.values.pop(key, None) is not None
