"""Who listens where on this machine, by what Linux says."""

from pathlib import Path
from typing import NamedTuple

LISTENS = "0A"
LOOPBACK = {"0100007F", "00000000000000000000000001000000"}  # 127.0.0.1 and ::1


class Listening(NamedTuple):
    """One socket that listens; its address is written as Linux does."""

    address: str
    port: int
    inode: str


def all_listening() -> list[Listening]:
    """Those of this machine."""
    lines = [
        line.split()
        for table in ("tcp", "tcp6")
        for line in Path(f"/proc/net/{table}").read_text().splitlines()
    ]
    return [
        Listening(field[1].split(":")[0], int(field[1].split(":")[1], 16), field[9])
        for field in lines
        if field[3] == LISTENS
    ]


def listened_at_by(pid: int) -> list[str]:
    """The addresses that the process listens at."""
    held = set()
    for path in Path(f"/proc/{pid}/fd").iterdir():
        try:
            held.add(str(path.readlink()))
        except FileNotFoundError:  # closed meanwhile
            continue
    return [at.address for at in all_listening() if f"socket:[{at.inode}]" in held]
