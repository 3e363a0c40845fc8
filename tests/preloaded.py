"""A process that has loaded what collect.py needs, and forks for every run of it.

Loading takes four fifths of a short run, and the tests make hundreds. What runs is the script
itself, as `__main__` of a process with its own output and exit code. A run with another environment
starts Python anew, since modules may read it as they are loaded.
"""

import os
import runpy
import signal
import socket
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LENGTHS = struct.Struct("!I")
STATUS = struct.Struct("!i")


class Preloaded:
    """The process, as those see it who let a script run."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.preloaded", str(theirs.fileno())],
                cwd=ROOT, pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            )  # fmt: skip
        self.socket = ours
        self.environment = environment()

    @property
    def is_fit(self) -> bool:
        """True if it is alive, and in the environment that a new process would have now."""
        return self.process.poll() is None and self.environment == environment()

    def run(self, command: list[str], timeout: float) -> subprocess.CompletedProcess[str]:
        """Run a script of ROOT with its arguments to its end."""
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            words = "\0".join(command).encode(errors="surrogateescape")
            self.socket.settimeout(timeout)
            fds = [out.fileno(), err.fileno()]
            socket.send_fds(self.socket, [LENGTHS.pack(len(words))], fds)
            self.socket.sendall(words)
            try:
                status = self.socket.recv(STATUS.size)
            except TimeoutError:
                self.process.kill()
                raise
            assert status, "the preloaded process has ended"
            texts = []
            for file in (out, err):
                file.seek(0)
                texts.append(file.read().decode().replace("\r\n", "\n").replace("\r", "\n"))
        return subprocess.CompletedProcess(command, STATUS.unpack(status)[0], *texts)

    def end(self) -> None:
        """End the process."""
        self.socket.close()
        self.process.wait()


def environment() -> dict[str, str]:
    """What a new process would have in its environment, but for the name of the test."""
    return {k: v for k, v in os.environ.items() if k != "PYTEST_CURRENT_TEST"}


def serve(requests: socket.socket) -> list[str] | None:
    """Fork for each request; return its command in the new process, and None at the end."""
    while True:
        head, fds, _, _ = socket.recv_fds(requests, LENGTHS.size, 2)
        if not head:
            return None
        words = requests.recv(LENGTHS.unpack(head)[0], socket.MSG_WAITALL)
        child = os.fork()
        if child == 0:
            requests.close()
            for number, fd in enumerate(fds, start=1):
                os.dup2(fd, number)
                os.close(fd)
            return words.decode(errors="surrogateescape").split("\0")
        for fd in fds:
            os.close(fd)
        _, status = os.waitpid(child, 0)
        requests.sendall(STATUS.pack(os.waitstatus_to_exitcode(status)))


def load() -> None:
    """Import what collect.py imports, at once or later, and what it draws with."""
    sys.path[0] = str(ROOT)
    import matplotlib.backends.backend_svg  # noqa: F401

    import collect  # noqa: F401
    import report.formats.html
    import report.formats.pdf  # noqa: F401


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    load()
    if command := serve(socket.socket(fileno=int(sys.argv[1]))):
        signal.signal(signal.SIGINT, signal.default_int_handler)
        sys.argv = command
        del sys.modules["collect"]
        runpy.run_path(command[0], run_name="__main__")
