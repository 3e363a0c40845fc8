"""The output of a program: on its way to the job's log, and its last words.

A program may print anything: much, binary, without an end of line, or what Slurm's daemons and we
write. So each of its lines is marked in the log, and beyond a limit only the last ones go there.
"""

import os
import selectors

MARK = b"| "  # begins every line of a program in the log
MOST_LOGGED = 64 * 1024 * 1024  # bytes; the disk is for results, too
LONGEST_LINE = 16 * 1024  # bytes; a longer one is broken in the log
LAST = 64 * 1024  # bytes of the last lines
MOST_SAID = 1024 * 1024  # bytes of the one line that may say the steps
CHUNK = 64 * 1024


class Output:
    """The output of a program on both of its streams, read until all who write there have ended.

    Args:
        stdout: the descriptor that its stdout is read from.
        stderr: that of its stderr.
        log: the descriptor of the job's log.

    Attributes:
        said: the last line of its stdout that is not empty; one byte more than MOST_SAID is kept of
            one that is longer.
    """

    def __init__(self, stdout: int, stderr: int, log: int) -> None:
        self.said = b""
        self._streams = stdout, stderr
        self._rest = {stdout: bytearray(), stderr: bytearray()}
        self._line = bytearray()
        self._log = log
        self._logged = 0
        self._last = bytearray()
        self._left_out = 0

    def read_all(self) -> None:
        """Read until the end of both streams."""
        with selectors.DefaultSelector() as selector:
            for stream in self._streams:
                selector.register(stream, selectors.EVENT_READ)
            while selector.get_map():
                for key, _ in selector.select():
                    if data := os.read(key.fd, CHUNK):
                        self._take(key.fd, data)
                    else:
                        selector.unregister(key.fd)
                        os.close(key.fd)
        for stream in self._streams:
            self._emit(bytes(self._rest[stream]) + b"\n" if self._rest[stream] else b"")
        self._keep_said(b"\n")
        if self._left_out:
            note = f"mpbench: {self._left_out} bytes of the program's output are left out here\n"
            self._write(note.encode())
            self._write(_marked(bytes(self._last)))

    def last_lines(self) -> list[str]:
        """Return the last lines of both streams, in the order in which they came."""
        return self._last.decode(errors="replace").split("\n")

    def _take(self, stream: int, data: bytes) -> None:
        if stream == self._streams[0]:
            self._keep_said(data)
        rest = self._rest[stream]
        rest += data
        end = rest.rfind(b"\n") + 1
        if not end and len(rest) >= LONGEST_LINE:
            self._emit(bytes(rest) + b"\n")
            rest.clear()
        elif end:
            self._emit(bytes(rest[:end]))
            del rest[:end]

    def _keep_said(self, data: bytes) -> None:
        """Keep the line that is under way, and the last one that was complete."""
        *ended, begun = data.split(b"\n")
        for line in ended:
            self._line += line[: MOST_SAID + 1 - len(self._line)]
            if self._line.strip():
                self.said = bytes(self._line)
            self._line.clear()
        self._line += begun[: MOST_SAID + 1 - len(self._line)]

    def _emit(self, lines: bytes) -> None:
        """Put whole lines into the log, and among the last ones."""
        self._last += lines
        if len(self._last) > 2 * LAST:
            cut = self._last.find(b"\n", len(self._last) - LAST - 1) + 1
            del self._last[: cut or len(self._last) - LAST]
        if self._logged > MOST_LOGGED:
            self._left_out += len(lines)
            return
        marked = _marked(lines)
        self._logged += len(marked)
        self._write(marked)

    def _write(self, data: bytes) -> None:
        try:
            while data:
                data = data[os.write(self._log, data) :]
        except OSError:  # a full disk is no reason to stop a program
            self._logged = MOST_LOGGED + 1


def _marked(lines: bytes) -> bytes:
    """Mark every line; only a line feed ends one."""
    return b"".join(MARK + line + b"\n" for line in lines.split(b"\n")[:-1])
