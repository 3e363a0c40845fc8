"""Ranks believe only who knows their secret: others cost a run at most, and say nothing in it."""

import secrets
import socket
import threading
import time
from contextlib import suppress
from datetime import timedelta

import msgspec
import pytest
import torch.distributed as dist

from mp.launcher.launcher import free_port
from mp.rendezvous import channel, meeting
from mp.rendezvous.board import Request
from mp.rendezvous.channel import HEADER, Unproven, prove_to_first, prove_to_other
from mp.rendezvous.failure import FAILED
from mp.rendezvous.listener import Listener
from study.errors import CaseError
from tests.conftest import PATIENCE_S
from tests.mp.listening_sockets import all_listening
from tests.mp.strangers import MANNERS, flooding, hang_up, listening, mute, talk_nonsense

pytestmark = pytest.mark.long

SECRET, ANOTHER = secrets.token_bytes(32), secrets.token_bytes(32)


@pytest.fixture
def open_stores(monkeypatch):
    """Return what gives a rank its stores, and close them in the end."""
    connections, listeners = [], []

    class Closable(Listener):
        def __init__(self, *arguments):
            super().__init__(*arguments)
            listeners.append(self)

    def open_them(rank, secret=SECRET):
        stores = meeting.open_stores(rank, 2, secret)
        if rank:
            connections.extend(store.board.channel.connection for store in stores)
        return stores

    monkeypatch.setattr(meeting, "Listener", Closable)
    yield open_them
    for connection in connections:
        connection.close()
    for listener in listeners:
        listener.missing = 0
        listener.join()


@pytest.fixture
def port(monkeypatch):
    """Where two ranks of one node meet."""
    port = free_port()
    here = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    here |= {"WORLD_SIZE": 2, "LOCAL_WORLD_SIZE": 2}
    monkeypatch.delenv(meeting.FIRST_NODE, raising=False)
    for name, value in here.items():
        monkeypatch.setenv(name, str(value))
    return port


@pytest.fixture
def impatient(monkeypatch):
    """Make ranks give up on strangers soon."""
    monkeypatch.setattr(channel, "PROOF_S", 0.5)
    monkeypatch.setattr(meeting, "STRANGER_S", 1.0)


def test_ranks_share_what_they_say(open_stores, port):
    first, _ = open_stores(0)
    other, another = open_stores(1)
    first.set("word", "said")
    assert other.get("word") == b"said"
    assert [other.add("count", 2), first.add("count", 3), another.add("count", 0)] == [2, 5, 5]
    assert (first.check(["word", "count"]), other.check(["word", "none"])) == (True, False)
    assert other.compare_set(FAILED, "", "mine") == b"mine"
    assert first.compare_set(FAILED, "", "too late") == b"mine"
    assert (first.delete_key("word"), other.delete_key("word")) == (True, False)
    with pytest.raises(dist.DistStoreError, match="none did not come within 0 s"):
        other.wait(["none"], timedelta(seconds=0.1))


def test_a_rank_that_waits_for_a_word_does_not_keep_its_watchdog_waiting(open_stores, port):
    first, _ = open_stores(0)
    other, another = open_stores(1)
    found = []
    waiting = threading.Thread(target=lambda: found.append(other.get("late")))
    waiting.start()
    assert another.add("beats", 1) == 1
    first.set("late", "it came")
    waiting.join(PATIENCE_S)
    assert found == [b"it came"]


def test_nobody_listens_any_more_once_all_have_come(open_stores, port):
    open_stores(0)
    stores = open_stores(1)
    for store in stores:
        store.check(["nothing"])
    until = time.monotonic() + PATIENCE_S
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            break
        assert time.monotonic() < until
        time.sleep(0.1)
    assert stores[0].check(["nothing"]) is False


def test_the_first_rank_listens_where_ranks_meet_and_nowhere_else(open_stores, port):
    open_stores(0)
    assert {at.address for at in all_listening() if at.port == port} == {"0100007F"}


def test_ranks_of_several_nodes_meet_at_the_second_address_where_a_name_means_another(
    open_stores, port, monkeypatch
):
    """As on a node whose own name resolves to an address that no other node reaches."""
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "1")
    monkeypatch.setenv(meeting.FIRST_NODE, "127.0.0.2")
    first, _ = open_stores(0)
    there = {at.address for at in all_listening() if at.port == port}
    assert there == {"0100007F", "0200007F"}
    monkeypatch.setenv("MASTER_ADDR", "127.0.0.3")
    other, _ = open_stores(1)
    other.set("word", "said")
    assert first.get("word") == b"said"


@pytest.mark.parametrize("manner", MANNERS, ids=lambda manner: manner.__name__)
def test_a_stranger_who_listens_where_ranks_meet_is_told_in_words(
    open_stores, monkeypatch, port, manner, impatient
):
    with listening(manner) as taken:
        monkeypatch.setenv("MASTER_PORT", str(taken))
        with pytest.raises(CaseError) as caught:
            open_stores(1)
        assert str(caught.value).startswith(
            f"somebody else listens at 127.0.0.1:{taken}, where rank 1 is to meet rank 0: "
        )
        assert "; run the case again: a new job chooses another port" in str(caught.value)
        with pytest.raises(CaseError, match=f"somebody else listens at 127.0.0.1:{taken}, where"):
            open_stores(0)


def test_a_store_of_torch_is_a_stranger_too(open_stores, port, impatient):
    store = dist.TCPStore("127.0.0.1", port, None, True, wait_for_workers=False)
    with pytest.raises(CaseError, match=f"somebody else listens at 127.0.0.1:{port}, where"):
        open_stores(1)
    del store


def test_a_stranger_is_given_up_on_within_half_a_minute():
    assert meeting.STRANGER_S + 2 * channel.PROOF_S < 30


def test_ranks_with_another_secret_are_strangers(open_stores, port, impatient, capfd):
    first, _ = open_stores(0)
    with pytest.raises(CaseError, match="somebody else listens at "):
        open_stores(1, ANOTHER)
    other, _ = open_stores(1)
    first.set("word", "said")
    assert other.get("word") == b"said"
    told = "mpbench: somebody who does not know this run's secret connects to the port"
    assert capfd.readouterr().err.count(told) == 1


@pytest.mark.parametrize("manner", [mute, talk_nonsense, hang_up], ids=lambda m: m.__name__)
def test_a_flood_of_strangers_keeps_no_rank_out(open_stores, port, manner):
    first, _ = open_stores(0)
    with flooding(port, manner, threads=4):
        time.sleep(1)
        other, _ = open_stores(1)
        first.set("word", "said")
        assert other.get("word") == b"said"


def test_a_failure_that_a_stranger_tells_is_not_heard(open_stores, port, impatient):
    """Told as ranks do, without the proof, and by the store of torch."""
    first, _ = open_stores(0)
    words = msgspec.msgpack.encode(Request("compare_set", (FAILED,), (b"", b"forged")))
    with socket.create_connection(("127.0.0.1", port)) as stranger:
        nonce_and_proof = secrets.token_bytes(64)
        stranger.sendall(nonce_and_proof + HEADER.pack(0, len(words)) + words + bytes(32))
        with suppress(ConnectionResetError):
            while stranger.recv(4096):
                pass
    with pytest.raises(dist.DistError):
        dist.TCPStore("127.0.0.1", port, timeout=timedelta(seconds=1))
    assert first.check([FAILED]) is False


@pytest.fixture
def proven():
    """Both ends of a connection whose ranks have proven themselves."""
    ends = socket.socketpair()
    found = []

    def take_in():
        found.append(prove_to_other(ends[0], SECRET))
        found[0].send(b"")

    thread = threading.Thread(target=take_in)
    thread.start()
    found.append(prove_to_first(ends[1], SECRET))
    thread.join()
    yield found
    for end in ends:
        end.close()


def test_what_is_said_comes_as_it_was_said(proven):
    first, other = proven
    for words in (b"", b"one", bytes(2**20)):
        thread = threading.Thread(target=other.send, args=(words,))
        thread.start()
        assert first.receive() == words
        thread.join()


def sent(sender):
    """The bytes that the message "yes" is on the wire."""
    near, far = socket.socketpair()
    sender.connection, connection = near, sender.connection
    sender.send(b"yes")
    sender.connection = connection
    with near, far:
        return far.recv(4096)


@pytest.mark.parametrize(
    "meddle",
    [
        lambda once, again: once.replace(b"yes", b"not"),
        lambda once, again: once[:-1] + bytes([once[-1] ^ 1]),
        lambda once, again: once + once,
        lambda once, again: again,
        lambda once, again: HEADER.pack(0, 2**32 - 1) + once,
    ],
    ids=["changed", "another code", "repeated", "one dropped", "a huge length"],
)
def test_a_message_that_somebody_meddled_with_is_refused(proven, meddle):
    first, other = proven
    other.connection.sendall(meddle(sent(other), sent(other)))
    with pytest.raises(Unproven):
        receive_two(first)


def receive_two(channel):
    channel.receive()
    channel.receive()


def test_what_was_said_in_another_connection_proves_nothing():
    """Neither to the first rank nor by it, though the secret is the same."""
    for prove, proof_of in ((prove_to_other, prove_to_first), (prove_to_first, prove_to_other)):
        said = recorded(proof_of)
        near, far = socket.socketpair()
        with near, far:
            far.sendall(said)
            with pytest.raises(Unproven, match="no proof of the secret"):
                prove(near, SECRET)


def recorded(proof_of):
    """All that one side says to prove itself to the other."""
    sides = [socket.socketpair(), socket.socketpair()]  # each with one end of what listens in
    (near, tap), (far, other_tap) = sides
    said = []

    def pass_on(source, target, keep):
        with suppress(OSError):
            while data := source.recv(4096):
                if keep:
                    said.append(data)
                target.sendall(data)

    def take_in():
        prove_to_other(far, SECRET).send(b"")

    threads = [
        threading.Thread(target=pass_on, args=(tap, other_tap, proof_of is prove_to_first)),
        threading.Thread(target=pass_on, args=(other_tap, tap, proof_of is prove_to_other)),
        threading.Thread(target=take_in),
    ]
    for thread in threads:
        thread.start()
    prove_to_first(near, SECRET)
    near.close()
    far.close()
    for thread in threads:
        thread.join()
    for end in (tap, other_tap):
        end.close()
    return b"".join(said)
