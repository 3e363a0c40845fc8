"""How files are written so that no reader sees half of one, and read so that none hangs."""

import errno
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from study.errors import ConfigError

MAX_PREFIX = 40  # characters, of up to four bytes; a name may have 255
RESERVED_BYTES = 512 * 1024  # a result of some twenty thousand steps


def write_atomically(path: Path, data: bytes, durable: bool = True) -> None:
    """Write beside the path, then rename into place; `durable` survives a power cut too."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=_beside(path))
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            if durable:
                os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
        _sync_folder(path.parent, durable)
    except BaseException as error:
        if isinstance(error, OSError):
            error.filename = error.filename or str(path)  # a full disk names no file
        with suppress(OSError):
            os.unlink(temporary)
        raise


def _beside(path: Path) -> str:
    """How the name of a temporary file begins; a name of its own may be as long as names can be."""
    return f".{path.name[:MAX_PREFIX]}."


def check_target(path: Path, source: str) -> None:
    """Refuse, before the work is done, a file that could not be written at its end.

    Raises:
        ConfigError: a folder, a device or a pipe is in its place, or nothing can be written there.
    """
    try:
        target = path.resolve()
        if target.exists() and not target.is_file():
            raise ConfigError(source, f"{path} is no regular file; name another")
        with tempfile.NamedTemporaryFile(dir=target.parent, prefix=_beside(target)):
            pass
    except OSError as error:
        raise ConfigError(source, f"{path} cannot be written: {error.strerror}") from None
    except RuntimeError:  # what Python 3.11 and 3.12 say of a link that leads to itself
        raise ConfigError(source, f"{path} cannot be written: it leads to itself") from None


def _sync_folder(folder: Path, durable: bool) -> None:
    """Make a rename last, too."""
    if durable:
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def is_utf8(text: str) -> bool:
    """Whether the text can be written as UTF-8; a path's bytes need not be."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def read_file(path: Path, last: int | None = None, most: int | None = None) -> bytes:
    """The content of a regular file, or its last bytes.

    Raises:
        OSError: it cannot be read, or is a pipe, which would hang.
        ValueError: it has more than `most` bytes.
    """
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    found = os.fstat(handle)
    if not stat.S_ISREG(found.st_mode):
        os.close(handle)
        raise OSError(errno.EINVAL, "is no regular file", str(path))
    with open(handle, "rb", buffering=0) as file:
        if most is not None and found.st_size > most:
            raise ValueError(f"has {found.st_size} bytes, too many")
        if last is not None:
            file.seek(max(0, found.st_size - last))
        return file.readall()


@contextmanager
def reserve_space(path: Path) -> Iterator[None]:
    """Hold some disk until the block ends, so that a result fits in where others filled the rest.

    What cannot be reserved is no error here: the result may fit all the same.
    """
    with suppress(OSError), path.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, RESERVED_BYTES)
    try:
        yield
    finally:
        with suppress(OSError):
            path.unlink(missing_ok=True)
