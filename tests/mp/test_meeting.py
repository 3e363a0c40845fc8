"""Where ranks meet is checked before anything waits: an error comes within seconds."""

import socket
import time

import msgspec
import pytest

from jobs.worker import rank
from mp.distributed import world
from mp.launcher.launcher import free_port
from mp.rendezvous import meeting
from mp.rendezvous.board import Board
from mp.rendezvous.failure import FAILED, RankFailure
from mp.rendezvous.listener import Listener
from mp.rendezvous.secret import SECRET, new_secret
from study.errors import CaseError
from tests.conftest import PATIENCE_S


@pytest.fixture
def join(monkeypatch):
    """Return what a rank says that is to meet the other one where these variables say."""

    def join(rank=0, **variables):
        here = {"RANK": str(rank), "WORLD_SIZE": "2", "LOCAL_RANK": "0", "LOCAL_WORLD_SIZE": "1"}
        here |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "1", SECRET: new_secret()} | variables
        monkeypatch.delenv(meeting.FIRST_NODE, raising=False)
        for name, value in here.items():
            monkeypatch.setenv(name, value)
        began = time.monotonic()
        with pytest.raises(CaseError) as caught:
            world.join(2, "cpu", lambda failure: None)
        assert time.monotonic() - began < 10
        return str(caught.value)

    return join


def test_who_starts_ranks_and_the_ranks_use_the_same_names():
    ours = (meeting.NOWHERE, meeting.FIRST_NODE, SECRET)
    assert ours == (rank.NOWHERE, rank.FIRST_NODE, rank.SECRET)


@pytest.mark.parametrize("rank", [0, 1])
def test_a_name_that_does_not_resolve_is_named_with_what_to_do(join, rank):
    assert join(rank, MASTER_ADDR="gpu1.invalid") == (
        f"gpu1.invalid does not resolve on this node ({socket.gethostname()}); set rendezvous: "
        "{interface: ...} or {suffix: ...} in cluster.yaml, or MASTER_ADDR in slurm_setup"
    )


def test_the_first_rank_is_told_of_a_name_that_another_cannot_resolve(join, monkeypatch):
    port, secret = free_port(), new_secret()
    monkeypatch.setattr(meeting, "TELL_S", 1)
    board = Board()
    listening = [socket.create_server(("127.0.0.1", port))]
    listener = Listener(listening, bytes.fromhex(secret), board, 1)
    listener.start()
    where = {"MASTER_PORT": str(port), meeting.FIRST_NODE: "127.0.0.1", SECRET: secret}
    said = join(1, MASTER_ADDR="gpu1.invalid", **where)
    assert said.startswith("gpu1.invalid does not resolve on this node")
    listener.join(PATIENCE_S)
    told = msgspec.json.decode(board.values[FAILED], type=RankFailure)
    assert (told.rank, told.message) == (1, said)


def test_nobody_waits_long_for_a_first_rank_that_has_failed_too(join):
    where = {"MASTER_ADDR": "gpu1.invalid", "MASTER_PORT": str(free_port())}
    assert "does not resolve" in join(1, **where, **{meeting.FIRST_NODE: "127.0.0.1"})


def test_an_address_of_another_node_is_refused_by_the_first_rank(join):
    assert join(MASTER_ADDR="192.0.2.77").startswith(
        f"192.0.2.77 is no address of the first rank's node ({socket.gethostname()}); set "
    )


@pytest.mark.parametrize("port", ["", "ib0", "0", "65536"])
def test_a_port_that_is_none_is_refused(join, port):
    assert join(MASTER_PORT=port).startswith(f"MASTER_PORT: {port!r} is no port; set it to")


def test_why_there_is_nowhere_to_meet_is_said_as_it_came(join):
    assert join(**{meeting.NOWHERE: "no port of 1-2 is free"}) == "no port of 1-2 is free"


def test_a_port_that_is_taken_is_said_at_once(join):
    with socket.create_server(("", 0)) as server:
        port = server.getsockname()[1]
        said = join(MASTER_PORT=str(port))
    assert said == (
        f"somebody else listens at 127.0.0.1:{port}, where rank 0 is to listen; run the case "
        "again: a new job chooses another port, unless slurm_setup sets MASTER_PORT"
    )


def test_a_rank_without_a_secret_says_what_to_do(join):
    for secret in ("", "5e", "no hexadecimal digits"):
        assert join(**{SECRET: secret}).endswith("has none: submit the case again")
