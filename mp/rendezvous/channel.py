"""A connection between the first rank and another, once both have proven to know the secret.

Both sides draw a random number, and each proves itself by a code (HMAC-SHA256) over both numbers,
so that nothing that was once said can be said again. Before that nothing is decoded or kept of what
the other side sends. Later messages carry such a code as well, with a key for each connection and
direction and a count, so that nobody adds, changes, repeats or drops one unnoticed. They are not
encrypted: what ranks say is not secret.
"""

import hmac
import secrets
import socket
import struct
import time

NONCE_BYTES = 32
CODE_BYTES = 32
PROOF_S = 5.0  # from the connection to the proof
MOST_BYTES = 2**24  # of a message; the addresses of a thousand ranks are a tenth of it
HEADER = struct.Struct(">QI")  # the count, the length


class Unproven(Exception):
    """The other side does not know the secret, or has not proven it in time."""


class Channel:
    """Messages to and from the other side of a proven connection.

    Args:
        connection: to the other side.
        key_out: signs what is sent.
        key_in: proves what is received.
    """

    def __init__(self, connection: socket.socket, key_out: bytes, key_in: bytes) -> None:
        self.connection = connection
        self.key_out, self.key_in = key_out, key_in
        self.sent = self.received = 0
        connection.settimeout(None)

    def send(self, message: bytes) -> None:
        """Send a message.

        Raises:
            OSError: the connection is lost.
        """
        header = HEADER.pack(self.sent, len(message))
        self.sent += 1
        self.connection.sendall(header + message + _code(self.key_out, header, message))

    def receive(self, until: float | None = None) -> bytes:
        """Return the next message, however long it takes to come.

        Args:
            until: when it must have come, by `time.monotonic`.

        Raises:
            OSError: the connection is lost.
            Unproven: what came was not sent by the other side, or not as the next message, or late.
        """
        header = _read(self.connection, HEADER.size, until)
        count, length = HEADER.unpack(header)
        if count != self.received or length > MOST_BYTES:
            raise Unproven("a message out of order, or too long")
        self.received += 1
        message = _read(self.connection, length, until)
        code = _read(self.connection, CODE_BYTES, until)
        if not hmac.compare_digest(code, _code(self.key_in, header, message)):
            raise Unproven("a message with a wrong code")
        return message


def prove_to_first(connection: socket.socket, secret: bytes) -> Channel:
    """Return a channel to the first rank, from another, once both have proven themselves.

    Raises:
        OSError: the connection is lost.
        Unproven: who listens there is not the first rank of this run.
    """
    until = time.monotonic() + PROOF_S
    mine = secrets.token_bytes(NONCE_BYTES)
    connection.sendall(mine)
    theirs = _read(connection, NONCE_BYTES, until)
    _check(connection, until, _code(secret, b"first rank", mine, theirs))
    connection.sendall(_code(secret, b"other rank", mine, theirs))
    to_first, to_other = _keys(secret, mine, theirs)
    channel = Channel(connection, to_first, to_other)
    channel.receive(until)  # it has taken this rank in
    connection.settimeout(None)
    return channel


def prove_to_other(connection: socket.socket, secret: bytes) -> Channel:
    """Return a channel from the first rank to another, once both have proven themselves.

    The other rank waits for an empty message, by which it is taken in.

    Raises:
        OSError: the connection is lost.
        Unproven: who connected is no rank of this run.
    """
    until = time.monotonic() + PROOF_S
    theirs = _read(connection, NONCE_BYTES, until)
    mine = secrets.token_bytes(NONCE_BYTES)
    connection.sendall(mine + _code(secret, b"first rank", theirs, mine))
    _check(connection, until, _code(secret, b"other rank", theirs, mine))
    to_first, to_other = _keys(secret, theirs, mine)
    return Channel(connection, to_other, to_first)


def _check(connection: socket.socket, until: float, expected: bytes) -> None:
    if not hmac.compare_digest(_read(connection, CODE_BYTES, until), expected):
        raise Unproven("no proof of the secret")


def _keys(secret: bytes, others: bytes, firsts: bytes) -> tuple[bytes, bytes]:
    """Return the keys of what is said to the first rank, and by it."""
    return _code(secret, b"to first", others, firsts), _code(secret, b"to other", others, firsts)


def _code(key: bytes, *parts: bytes) -> bytes:
    """Return the code of these parts, of which all but the last are of a fixed length."""
    return hmac.digest(key, b"".join(parts), "sha256")


def _read(connection: socket.socket, count: int, until: float | None = None) -> bytes:
    """Read so many bytes.

    Raises:
        OSError: the connection is lost.
        Unproven: they have not all come by then.
    """
    came = bytearray()
    while len(came) < count:
        if until is not None:
            connection.settimeout(max(until - time.monotonic(), 0.001))
        try:
            part = connection.recv(min(count - len(came), 2**16))
        except TimeoutError:
            raise Unproven(f"no proof of the secret within {PROOF_S:.0f} s") from None
        if not part:
            raise ConnectionError("closed by the other side")
        came += part
    return bytes(came)
