"""The failure of a rank, as the store tells it to all others."""

import socket

import msgspec

from mp.rendezvous.store import Store
from study.outcome import ResultOutcome

FAILED = "failed"  # the key of the first failure that was announced


class RankFailure(msgspec.Struct, frozen=True):
    """What ended a rank, in its own words or in those of the first rank, which missed it."""

    rank: int
    host: str
    type: str
    message: str
    outcome: ResultOutcome

    def __str__(self) -> str:
        where = f" on {self.host}" if self.host else ""
        return f"rank {self.rank}{where}: {self.message}"


def announce_failure(store: Store, rank: int, error: Exception, outcome: ResultOutcome) -> None:
    """Tell all ranks what ended this one, if no other failure was announced before.

    Args:
        store: of all ranks.
        rank: this one.
        error: what ended it.
        outcome: of the case.
    """
    words = str(error).splitlines()[0] if str(error) else ""
    failure = RankFailure(rank, socket.gethostname(), type(error).__name__, words, outcome)
    store.compare_set(FAILED, "", msgspec.json.encode(failure).decode())
