"""Find the place where a job's ranks meet.

The first of these that is there counts: MASTER_ADDR and MASTER_PORT, set by slurm_setup or a
prolog; what `jobs.rendezvous` chose on the first node; the first node's name, and a port that
follows from the ranks' secret. All ranks of a job on one node meet at the address that no other
node reaches.
"""

import os
import random
import re

import msgspec

LOOPBACK = "127.0.0.1"
CHOSEN = "MPBENCH_RENDEZVOUS"  # what jobs.rendezvous printed, in the job's environment


class Meeting(msgspec.Struct, frozen=True, omit_defaults=True):
    """The place where a profile lets ranks meet.

    The ports end below those that Linux gives to outgoing connections, so that none of these takes
    the port between its choice and its use.

    Attributes:
        interface: the network of the first node whose IPv4 address is taken; empty for its name.
        suffix: what is added to the first node's name.
    """

    interface: str = ""
    suffix: str = ""
    first_port: int = 20000
    last_port: int = 32767

    @property
    def options(self) -> list[str]:
        """The options by which `jobs.rendezvous` takes this."""
        named = {"interface": self.interface, "suffix": self.suffix}
        given = [f"--{name}={value}" for name, value in named.items() if value]
        return [*given, f"--ports={self.first_port}-{self.last_port}"]


class NowhereToMeet(Exception):
    """No address, or no port, is known to meet at."""


def meeting_point(meeting: Meeting, secret: str, first_node: str) -> tuple[str, str]:
    """Return the address and the port at which this job's ranks meet.

    Args:
        meeting: where the profile lets ranks meet.
        first_node: its name; empty where the job has no other.
        secret: the same for all ranks, another for every attempt of a job.

    Raises:
        NowhereToMeet: it says why.
    """
    address, port = os.environ.get("MASTER_ADDR"), os.environ.get("MASTER_PORT")
    if address and port:
        return address, port
    if not first_node:
        address = address or LOOPBACK
    chosen_address, chosen_port = _chosen() or _fallback(meeting, secret, address, first_node)
    return address or chosen_address, port or chosen_port


def _chosen() -> tuple[str, str] | None:
    """Return what was chosen on the first node; None where nothing could be run there."""
    lines = os.environ.get(CHOSEN, "").strip().splitlines()  # a site's Python may print more
    if not lines:
        return None
    if lines[-1].startswith("error: "):
        raise NowhereToMeet(lines[-1].removeprefix("error: "))
    match = re.fullmatch(r"(\S+) (\d+)", lines[-1])
    return (match[1], match[2]) if match else None


def _fallback(
    meeting: Meeting, secret: str, address: str | None, first_node: str
) -> tuple[str, str]:
    if meeting.interface and not address:
        raise NowhereToMeet(
            f"rendezvous: the address of interface {meeting.interface} is not known, since no "
            "Python could be run in the sbatch script; set rendezvous: {suffix: ...}, or "
            "MASTER_ADDR in slurm_setup"
        )
    port = random.Random(secret).randint(meeting.first_port, meeting.last_port)
    return f"{first_node}{meeting.suffix}", str(port)
