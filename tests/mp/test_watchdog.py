"""Who misses whom: the others end where the first rank, which holds their store, stands still."""

import threading

import pytest

from mp.distributed import watchdog
from mp.distributed.watchdog import Watchdog
from tests.conftest import PATIENCE_S


class Stopped:
    """A store within a process that is stopped: it takes connections and answers nothing."""

    def __init__(self):
        self.asked = threading.Event()

    def add(self, *_):
        self.asked.set()
        threading.Event().wait()


@pytest.fixture
def ends(monkeypatch):
    """What a rank said when it ended itself, instead of ending the tests."""
    monkeypatch.setattr(watchdog, "BEAT_S", 0.01)
    monkeypatch.setattr(watchdog, "SILENT_S", 0.1)
    found = []
    said = threading.Event()

    def end(self, failure):
        found.append(str(failure))
        said.set()
        self.stop()

    monkeypatch.setattr(Watchdog, "_end", end)
    return found, said


def test_a_first_rank_that_stands_still_is_missed(ends):
    found, said = ends
    Watchdog(1, 2, Stopped(), print).start()
    assert said.wait(PATIENCE_S)
    assert found == ["rank 0: fell silent"]


def test_a_rank_that_has_ended_misses_nobody(ends, monkeypatch):
    monkeypatch.setattr(watchdog, "SILENT_S", 20)  # so that it is stopped before, on any machine
    found, _ = ends
    store = Stopped()
    others = set(threading.enumerate())
    dog = Watchdog(1, 2, store, print)
    dog.start()
    assert store.asked.wait(PATIENCE_S)
    dog.stop()
    for thread in set(threading.enumerate()) - others - {dog}:  # what would miss the first rank
        thread.join(PATIENCE_S)
    assert found == []
