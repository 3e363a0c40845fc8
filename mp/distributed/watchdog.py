"""Heartbeats, so that no rank waits for one that is dead.

Every process counts a beat a second in the store. Where another rank announces a failure, or falls
silent, the first rank gives up for all. The others end as soon as the first is gone, or its store
no longer answers. So the death of a rank ends the case within half a minute, wherever the living
ones wait, be it in a collective.
"""

import os
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable

import msgspec
import torch.distributed as dist

from mp.launcher.failure_files import read_failure, write_failure
from mp.rendezvous.failure import FAILED, RankFailure
from mp.rendezvous.store import COME_S, Store
from study.errors import CaseError
from study.outcome import ResultOutcome
from study.results.result import RANK_LOST

BEAT_S = 1.0
SILENT_S = 15.0  # longer than any library call that keeps Python from running
BEATS, HOST, OVER, GONE = "beats", "host", "over", "gone"
WENT = "fell silent; it was killed, or its node went down"
NEVER_CAME = f"did not come within {COME_S:.0f} s; is its node reachable?"


class Watchdog(threading.Thread):
    """Sends the heartbeats of this rank, and checks those of the others.

    Args:
        rank: this one.
        size: how many ranks there are.
        store: of all ranks, on a connection for this thread alone.
        give_up: called on the first rank, in this thread, with the failure of another.
    """

    def __init__(
        self,
        rank: int,
        size: int,
        store: Store,
        give_up: Callable[[RankFailure], None],
    ) -> None:
        super().__init__(daemon=True, name="watchdog")
        self.rank, self.size = rank, size
        self.store, self.give_up = store, give_up
        self.is_over = threading.Event()
        self.unheard = 0  # waits of a beat's length since the store last answered
        self.last = dict.fromkeys(range(1, size), (0, time.monotonic()))

    def run(self) -> None:
        """Send and check heartbeats until stopped."""
        try:
            if self.rank:
                threading.Thread(target=self._check_first, daemon=True).start()
            while not self.is_over.wait(BEAT_S):
                self.store.add(f"{BEATS}/{self.rank}", 1)
                self.unheard = 0
                failure = self._find_failure(self.store)
                if failure is not None and not self.is_over.is_set():
                    self._end(failure)
        except (dist.DistError, RuntimeError) as error:
            if not self.is_over.is_set():
                self._end(
                    RankFailure(0, "", type(error).__name__, "the first rank is gone", "error")
                )

    def _check_first(self) -> None:
        """End this process where the first rank, which holds the store, no longer answers.

        Waits are counted, not seconds: a library call may keep both threads from running.
        """
        while not self.is_over.wait(BEAT_S):
            self.unheard += 1
            if self.unheard * BEAT_S > SILENT_S:
                self._end(RankFailure(0, "", RANK_LOST, "fell silent", "error"))

    def _find_failure(self, store: Store) -> RankFailure | None:
        if store.check([FAILED]):
            return msgspec.json.decode(store.get(FAILED), type=RankFailure)
        if self.rank:
            return None
        if (lost := read_failure("lost")) is not None and lost[0]:
            return RankFailure(lost[0], socket.gethostname(), RANK_LOST, lost[1], "error")
        return self._find_silent(store)

    def _find_silent(self, store: Store) -> RankFailure | None:
        for rank, (beats, since) in self.last.items():
            now = time.monotonic()
            if (seen := store.add(f"{BEATS}/{rank}", 0)) != beats:
                self.last[rank] = (seen, now)
            elif now > since + (SILENT_S if beats else COME_S) and not _has(store, OVER, rank):
                host = store.get(f"{HOST}/{rank}").decode() if _has(store, HOST, rank) else ""
                return RankFailure(rank, host, RANK_LOST, WENT if beats else NEVER_CAME, "error")
        return None

    def _end(self, failure: RankFailure) -> None:
        print(f"mpbench: {failure}", file=sys.stderr, flush=True)
        if self.rank == 0 and failure.rank != 0:
            self.give_up(failure)
        write_failure("missed", (failure.rank, failure.message))
        os._exit(1)

    def announce(self, store: Store, error: Exception, outcome: ResultOutcome) -> None:
        """Tell the others what ended this rank, and give the first one time to act on it.

        A lost connection is more likely another's end than this rank's, so that is waited for.

        Args:
            store: of all ranks.
            error: what ended this one.
            outcome: of the case.
        """
        if _is_lost_connection(error):
            time.sleep(SILENT_S + 5 * BEAT_S)
        if self.rank and not isinstance(error, CaseError):
            traceback.print_exception(error)  # now: the first rank may end this process
        if self.rank == 0:
            self.stop()  # this thread must not end the process before the result is written
        words = str(error).splitlines()[0] if str(error) else ""
        host, kind = socket.gethostname(), type(error).__name__
        RankFailure(self.rank, host, kind, words, outcome).announce(store)
        if self.rank:
            time.sleep(5 * BEAT_S)  # the first rank ends this process once it has heard

    def stop(self) -> None:
        """Stop sending and checking heartbeats."""
        self.is_over.set()


def _has(store: Store, what: str, rank: int) -> bool:
    return bool(store.check([f"{what}/{rank}"]))


def _is_lost_connection(error: Exception) -> bool:
    words = str(error).lower()
    signs = ("closed by peer", "connection reset", "broken pipe", "gloo", "nccl", "timed out")
    return isinstance(error, dist.DistError) or (
        isinstance(error, RuntimeError) and any(sign in words for sign in signs)
    )
