"""The failure of a rank, announced to all others by the store."""

import msgspec

from mp.rendezvous.store import Store
from study.outcome import ResultOutcome

FAILED = "failed"  # the key of the first failure that was announced


class RankFailure(msgspec.Struct, frozen=True):
    """The error that ended a rank, announced by itself or by the first rank, which missed it."""

    rank: int
    host: str
    type: str
    message: str
    outcome: ResultOutcome

    def __str__(self) -> str:
        where = f" on {self.host}" if self.host else ""
        return f"rank {self.rank}{where}: {self.message}"

    def announce(self, store: Store) -> None:
        """Tell all ranks, if no other failure was announced before."""
        store.compare_set(FAILED, "", msgspec.json.encode(self).decode())
