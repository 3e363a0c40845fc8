"""Who is at the port at which ranks meet, and does not know their secret."""

import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress

GARBAGE = bytes(range(256)) * 64


def mute(connection: socket.socket) -> None:
    """Say nothing, until the other side hangs up."""
    while connection.recv(4096):
        pass


def talk_nonsense(connection: socket.socket) -> None:
    """Say what is no greeting, and no proof."""
    connection.sendall(GARBAGE)
    mute(connection)


def hang_up(connection: socket.socket) -> None:
    """Say nothing, and close."""


def say_it_back(connection: socket.socket) -> None:
    """Answer with what the other side says, its proof too."""
    while data := connection.recv(4096):
        connection.sendall(data)


def drip(connection: socket.socket) -> None:
    """Say a byte now and then, so that it never stays silent for long."""
    while True:
        connection.sendall(b"x")
        time.sleep(0.2)


MANNERS = (mute, talk_nonsense, hang_up, say_it_back, drip)


@contextmanager
def listening(manner: Callable[[socket.socket], None]) -> Iterator[int]:
    """Take a port and treat all who connect in this manner; the port."""

    def serve(connection: socket.socket) -> None:
        with closing(connection), suppress(OSError):
            manner(connection)

    def accept() -> None:
        with suppress(OSError):
            while True:
                connection, _ = server.accept()
                threading.Thread(target=serve, args=(connection,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=accept, daemon=True).start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)


@contextmanager
def flooding(port: int, manner: Callable[[socket.socket], None], threads: int) -> Iterator[None]:
    """Connect again and again in this manner, from so many threads, until all is over."""
    is_over = threading.Event()

    def connect() -> None:
        held: deque[socket.socket] = deque()
        while not is_over.is_set():
            with suppress(OSError):
                held.append(socket.create_connection(("127.0.0.1", port), timeout=1))
                if manner is talk_nonsense:
                    held[-1].sendall(GARBAGE)
            while len(held) > (0 if manner is hang_up else 100):
                held.popleft().close()
            time.sleep(0.001)
        for connection in held:
            connection.close()

    flood = [threading.Thread(target=connect, daemon=True) for _ in range(threads)]
    for thread in flood:
        thread.start()
    try:
        yield
    finally:
        is_over.set()
        for thread in flood:
            thread.join()
