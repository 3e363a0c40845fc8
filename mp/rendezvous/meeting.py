"""The meeting point of the ranks, checked before anything waits for it."""

import errno
import os
import socket
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import torch.distributed as dist

from mp.rendezvous.board import Board
from mp.rendezvous.channel import PROOF_S, Channel, Unproven, prove_to_first
from mp.rendezvous.failure import RankFailure
from mp.rendezvous.listener import BACKLOG, Listener
from mp.rendezvous.store import COME_S, DistantBoard, Store
from study.errors import CaseError

# From the process that started the ranks: why they cannot meet, and a second address of the first
# rank's node.
NOWHERE = "MPBENCH_NOWHERE"
FIRST_NODE = "MPBENCH_FIRST_NODE"
TELL_S = 5.0  # the first rank has most likely failed for the same reason, and never listens
STRANGER_S = 10.0  # a first rank that is flooded, or held up by a library call, answers sooner
UNANSWERED_S = 25.0  # of connections that are neither taken nor refused
PAUSE_S = 0.02  # between attempts to connect
CONNECTIONS = 2  # of each rank: its work may wait for an answer while its watchdog asks
REMEDY = (
    "set rendezvous: {interface: ...} or {suffix: ...} in cluster.yaml, or MASTER_ADDR in "
    "slurm_setup"
)
RUN_AGAIN = (
    "run the case again: a new job chooses another port, unless slurm_setup sets MASTER_PORT"
)


@dataclass(frozen=True)
class Place:
    """An address to listen at, or to connect to, as Python's sockets take it."""

    family: int
    where: tuple[Any, ...]

    @property
    def is_ours(self) -> bool:
        """Return whether this machine can listen there."""
        host, _, *scope = self.where
        try:
            with socket.socket(self.family, socket.SOCK_STREAM) as listener:
                listener.bind((host, 0, *scope))
        except OSError as error:
            return error.errno not in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)
        return True


@dataclass(frozen=True)
class MeetingPoint:
    """The addresses at which the first rank listens.

    Attributes:
        name: address and port as they were given.
        places: where that is, and the second address of the first rank's node, since nodes may
            resolve a name differently, and the first one its own name to 127.0.1.1.
    """

    name: str
    places: tuple[Place, ...]


def open_stores(rank: int, size: int, secret: bytes) -> list[Store]:
    """Return the store of all ranks twice, with a connection each: for work, for the watchdog.

    The first rank holds it from now on, and does not wait for the others.

    Args:
        rank: of this process.
        size: how many ranks there are.
        secret: of the run.

    Raises:
        CaseError: the ranks cannot meet; it says why.
    """
    point = _meeting_point(rank, secret)
    if rank:
        return [Store(DistantBoard(channel)) for channel in _reach(rank, point, secret)]
    board = Board()
    Listener(_listen(point), secret, board, CONNECTIONS * (size - 1)).start()
    return [Store(board)] * CONNECTIONS


def _meeting_point(rank: int, secret: bytes) -> MeetingPoint:
    if problem := os.environ.get(NOWHERE):
        raise CaseError(problem)
    address, port = os.environ["MASTER_ADDR"], _port(os.environ["MASTER_PORT"])
    host = socket.gethostname()
    second = _second_place(port)
    try:
        places = _resolve(address, port)
    except OSError:
        error = CaseError(f"{address} does not resolve on this node ({host}); {REMEDY}")
        _tell_first(rank, second, secret, error)
        raise error from None
    if rank == 0:
        places = [place for place in places if place.is_ours]
        second = [place for place in second if place.is_ours]
        if not places:
            raise CaseError(f"{address} is no address of the first rank's node ({host}); {REMEDY}")
    return MeetingPoint(f"{address}:{port}", tuple(dict.fromkeys([*places, *second])))


def _port(text: str) -> int:
    if not text.isdigit() or not 0 < int(text) < 2**16:
        raise CaseError(f"MASTER_PORT: {text!r} is no port; set it to a number from 1 to 65535")
    return int(text)


def _resolve(address: str, port: int) -> list[Place]:
    found = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM)
    return [Place(family, where) for family, *_, where in found]


def _second_place(port: int) -> list[Place]:
    """Return where else the first rank listens, if ranks run on several nodes."""
    address = os.environ.get(FIRST_NODE)
    if not address or os.environ["LOCAL_WORLD_SIZE"] == os.environ["WORLD_SIZE"]:
        return []
    with suppress(OSError):
        return _resolve(address, port)
    return []


def _listen(point: MeetingPoint) -> list[socket.socket]:
    """Listen at every place.

    Raises:
        CaseError: at one of them nobody can, or somebody else does.
    """
    listening: list[socket.socket] = []
    try:
        for place in point.places:
            listening.append(
                socket.create_server(place.where, family=place.family, backlog=BACKLOG)
            )
    except OSError as error:
        for server in listening:
            server.close()
        if error.errno == errno.EADDRINUSE:
            words = f"somebody else listens at {point.name}, where rank 0 is to listen"
        else:
            words = f"rank 0 cannot listen at {point.name}: {error.strerror}"
        raise CaseError(f"{words}; {RUN_AGAIN}") from None
    return listening


def _reach(rank: int, point: MeetingPoint, secret: bytes) -> list[Channel]:
    """Connect to the first rank, wherever it answers, as often as a rank does.

    Raises:
        CaseError: nobody came to listen there, or somebody did who does not know the secret.
    """
    give_up_at = time.monotonic() + COME_S
    heard_stranger_at: float | None = None
    unanswered_since: float | None = None
    problem = "nobody listens there"
    while time.monotonic() < give_up_at:
        for place in point.places:
            try:
                return [connect(place, secret) for _ in range(CONNECTIONS)]
            except ConnectionRefusedError:
                unanswered_since = None
            except TimeoutError:
                unanswered_since = unanswered_since or time.monotonic() - PROOF_S
                if time.monotonic() > unanswered_since + UNANSWERED_S:
                    raise CaseError(
                        f"rank {rank} does not get through to rank 0 at {point.name}: connections "
                        "are not answered, as where somebody floods the port, or a firewall drops "
                        f"what is sent there; {RUN_AGAIN}"
                    ) from None
            except Unproven as error:
                heard_stranger_at = heard_stranger_at or time.monotonic()
                if time.monotonic() > heard_stranger_at + STRANGER_S:
                    raise CaseError(
                        f"somebody else listens at {point.name}, where rank {rank} is to meet "
                        f"rank 0: {error}; {RUN_AGAIN}"
                    ) from None
            except OSError as error:
                problem = error.strerror or str(error)
        time.sleep(PAUSE_S)
    raise CaseError(f"rank {rank} does not reach rank 0 at {point.name}: {problem}")


def connect(place: Place, secret: bytes) -> Channel:
    """Connect to the first rank.

    Raises:
        OSError: nobody answers.
        Unproven: somebody does who does not know the secret, or hangs up.
    """
    connection = socket.socket(place.family, socket.SOCK_STREAM)
    try:
        connection.settimeout(PROOF_S)
        connection.connect(place.where)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            return prove_to_first(connection, secret)
        except OSError as error:
            raise Unproven(error.strerror or str(error)) from None
    except BaseException:
        connection.close()
        raise


def _tell_first(rank: int, places: list[Place], secret: bytes, error: CaseError) -> None:
    """Announce this error to the first rank, which may not have failed for the same reason."""
    if rank == 0 or (channel := _reach_soon(places, secret)) is None:
        return
    with channel.connection, suppress(dist.DistError):
        failure = RankFailure(rank, socket.gethostname(), "CaseError", str(error), "error")
        failure.announce(Store(DistantBoard(channel)))
        time.sleep(TELL_S)  # the first rank ends this process once it has heard


def _reach_soon(places: list[Place], secret: bytes) -> Channel | None:
    give_up_at = time.monotonic() + TELL_S
    while places and time.monotonic() < give_up_at:
        for place in places:
            with suppress(OSError, Unproven):
                return connect(place, secret)
        time.sleep(PAUSE_S)
    return None
