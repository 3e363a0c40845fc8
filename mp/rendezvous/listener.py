"""The listener of the first rank: it admits the other ranks, and answers their requests."""

import selectors
import socket
import sys
import threading
import time
from contextlib import suppress

import msgspec

from mp.rendezvous.board import Board, Request
from mp.rendezvous.channel import Channel, Unproven, prove_to_other

MOST_UNPROVEN = 64  # connections; each may take PROOF_S
BACKLOG = 1024
PAUSE_S = 0.05  # after a connection that the machine could not take


class Listener(threading.Thread):
    """Listens until as many connections as are expected have proven themselves.

    A stranger costs a thread for some seconds at most: beyond `MOST_UNPROVEN` the oldest is closed,
    so that whoever floods the port keeps no rank out, which needs but milliseconds.

    Args:
        listening: the sockets at which ranks meet.
        secret: of the run.
        board: what ranks read and write once they have proven themselves.
        expected: the number of connections.
    """

    def __init__(
        self, listening: list[socket.socket], secret: bytes, board: Board, expected: int
    ) -> None:
        super().__init__(daemon=True, name="listener")
        self.listening, self.secret, self.board = listening, secret, board
        self.missing = expected
        self.unproven: dict[socket.socket, None] = {}  # in the order in which they came
        self.lock = threading.Lock()
        self.has_told = False

    def run(self) -> None:
        """Listen until no rank is missing."""
        with selectors.DefaultSelector() as ready:
            for listening in self.listening:
                listening.setblocking(False)
                ready.register(listening, selectors.EVENT_READ, listening)
            while self.missing > 0:
                for key, _ in ready.select(timeout=1.0):
                    self._accept(key.data)
        for listening in self.listening:
            listening.close()

    def _accept(self, listening: socket.socket) -> None:
        try:
            connection, _ = listening.accept()
        except BlockingIOError:
            return
        except OSError:  # no file descriptor is left, or it is gone already
            time.sleep(PAUSE_S)
            return
        with self.lock:
            self.unproven[connection] = None
            oldest = next(iter(self.unproven))
            if len(self.unproven) > MOST_UNPROVEN:
                with suppress(OSError):
                    oldest.shutdown(socket.SHUT_RDWR)  # its thread closes it
                del self.unproven[oldest]
        try:
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()
        except RuntimeError:  # no more threads
            self._forget(connection)
            connection.close()

    def _serve(self, connection: socket.socket) -> None:
        with connection, suppress(OSError, Unproven):
            if (channel := self._prove(connection)) is None:
                return
            channel.send(b"")
            request = channel.receive()
            with self.lock:  # only now is it sure that it need not connect again
                self.missing -= 1
            while True:
                asked = msgspec.msgpack.decode(request, type=Request)
                channel.send(msgspec.msgpack.encode(self.board.answer(asked)))
                request = channel.receive()

    def _prove(self, connection: socket.socket) -> Channel | None:
        """Return the channel to a rank; None where a stranger has connected."""
        channel = None
        with suppress(OSError, Unproven):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            channel = prove_to_other(connection, self.secret)
        if channel is None:
            self._tell_once()
        return channel if self._forget(connection) else None

    def _forget(self, connection: socket.socket) -> bool:
        """Return whether it had not been closed yet to make room for others."""
        with self.lock:
            is_open = connection in self.unproven
            self.unproven.pop(connection, None)
            return is_open

    def _tell_once(self) -> None:
        with self.lock:
            is_told, self.has_told = self.has_told, True
        if not is_told:
            print(
                "mpbench: somebody who does not know this run's secret connects to the port at "
                "which its ranks meet; nothing of it is believed",
                file=sys.stderr,
                flush=True,
            )
