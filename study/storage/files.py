"""Write files so that no reader sees half of one, and read them so that none hangs.

A folder of results may have been sent by somebody, or be one that others write into. So what is
written in place is a file of ours under this one name, and nothing that is read there is a link.
"""

import errno
import os
import secrets
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import RawIOBase
from pathlib import Path

import msgspec

from study.errors import ConfigError

MAX_PREFIX = 40  # characters, of up to four bytes; a name may have 255
RESERVED_BYTES = 512 * 1024  # a result of some twenty thousand steps
# What the umask leaves of these; others never write.
OPEN_FILE, OPEN_FOLDER = 0o664, 0o775
SECRET_FILE = 0o600
CHUNK = 2**16  # bytes
# What decoding JSON may raise; msgspec lets the last two through as they are.
NOT_THE_DATA = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def make_folder(folder: Path) -> None:
    """Make the folder, and those above it, where they are missing; others write into none."""
    if not folder.parent.exists():
        make_folder(folder.parent)
    folder.mkdir(mode=OPEN_FOLDER, exist_ok=True)


def open_own(path: Path, flags: int = 0) -> int:
    """Open a file for reading and for writing in place, made if it is missing; its descriptor.

    Raises:
        OSError: it is a link, no regular file, another user's, or has a second name, so that
            somebody else's file, or another one of ours, would be written; or it cannot be opened.
    """
    flags |= os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        handle = os.open(path, flags, OPEN_FILE)
    except OSError as error:
        raise _as_link(error, path) from None
    found = os.fstat(handle)
    if problem := _why_not_ours(found):
        os.close(handle)
        raise OSError(errno.EPERM, problem, str(path))
    if found.st_mode & stat.S_IWOTH:  # made by an earlier version
        os.fchmod(handle, stat.S_IMODE(found.st_mode) & ~stat.S_IWOTH)
    return handle


def _why_not_ours(found: os.stat_result) -> str | None:
    if not stat.S_ISREG(found.st_mode):
        return "is no regular file; move it away"
    if found.st_uid != os.geteuid():
        return "belongs to another user; choose another folder"
    if found.st_nlink != 1:
        return "has a second name (a hard link); copy it, and move the copy into its place"
    return None


def _as_link(error: OSError, path: Path) -> OSError:
    """Return the error, in words where the path is a link, which is not followed."""
    if error.errno == errno.ELOOP and path.is_symlink():
        return OSError(errno.ELOOP, "is a link, and links are not followed here", str(path))
    return error


def write_atomically(path: Path, data: bytes, durable: bool = True, mode: int = OPEN_FILE) -> None:
    """Write beside the path, then rename into place.

    Args:
        path: the file; its folder is made where it is missing.
        data: the content.
        durable: wait until the disk has it.
        mode: the file's permissions, less what the umask takes.
    """
    make_folder(path.parent)
    temporary = path.with_name(_beside(path) + secrets.token_hex(8))
    # Nobody else can have made it, and a link is not followed.
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            if durable:
                os.fsync(file.fileno())
        os.replace(temporary, path)
        _sync_folder(path.parent, durable)
    except BaseException as error:
        if isinstance(error, OSError):
            error.filename = error.filename or str(path)  # a full disk names no file
        with suppress(OSError):
            os.unlink(temporary)
        raise


def _beside(path: Path) -> str:
    """Return the start of a temporary file's name; a file's own may be as long as names can be."""
    return f".{path.name[:MAX_PREFIX]}."


def check_target(path: Path, source: str) -> None:
    """Check, before the work is done, that its file could be written at its end.

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
    """Return whether the text can be written as UTF-8; a path's bytes need not be."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def read_file(
    path: Path, last: int | None = None, most: int | None = None, follow: bool = False
) -> bytes:
    """Return the content of a regular file, or its last bytes.

    Args:
        path: the file.
        last: the number of bytes at its end to return; None is all.
        most: the largest size, in bytes, that is read.
        follow: read what a link leads to; for a file that a person has named.

    Raises:
        OSError: it cannot be read, has more than `most` bytes, is a link, or is a pipe or a device,
            which would hang.
    """
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | (0 if follow else os.O_NOFOLLOW)
    try:
        handle = os.open(path, flags)
    except OSError as error:
        raise error if follow else _as_link(error, path) from None
    found = os.fstat(handle)
    if not stat.S_ISREG(found.st_mode):
        os.close(handle)
        raise OSError(errno.EINVAL, "is no regular file", str(path))
    with open(handle, "rb", buffering=0) as file:
        if most is not None and found.st_size > most:
            raise OSError(errno.EFBIG, f"has {found.st_size} bytes, too many", str(path))
        if last is not None:
            file.seek(max(0, found.st_size - last))
        bound = last if most is None else most  # it may grow meanwhile
        return file.readall() if bound is None else _read_up_to(file, bound, found.st_size)


def _read_up_to(file: RawIOBase, most: int, expected: int) -> bytes:
    parts = [file.read(min(most, expected)) or b""]
    left = most - len(parts[0])
    while left > 0 and (part := file.read(min(left, CHUNK))):
        parts.append(part)
        left -= len(part)
    return b"".join(parts)


@contextmanager
def reserve_space(path: Path) -> Iterator[None]:
    """Hold some disk until the block ends, so that a result fits in where others filled the rest.

    What cannot be reserved is no error here: the result may fit all the same.
    """
    with suppress(OSError), os.fdopen(open_own(path), "wb") as file:
        os.posix_fallocate(file.fileno(), 0, RESERVED_BYTES)
    try:
        yield
    finally:
        with suppress(OSError):
            path.unlink(missing_ok=True)
