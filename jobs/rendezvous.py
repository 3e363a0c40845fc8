"""Choose where a job's ranks meet: `python -m jobs.rendezvous --ports 20000-32767`.

The sbatch script runs this on the job's first node, before srun, and hands what it prints to the
ranks: an address and a free port, or `error: ` and why there is none. The Python that runs a job
may be inside of a container, and this line outside of it, so any Python from 3.6 will do.
"""

import argparse
import errno
import fcntl
import os
import random
import socket
import struct

SIOCGIFADDR = 0x8915  # linux/sockios.h
MOST_TRIES = 1000


def main() -> None:
    """Print `ADDRESS PORT`, or `error: WHY`."""
    parser = argparse.ArgumentParser(description="Choose where a job's ranks meet.")
    parser.add_argument("--interface", default="", help="the network whose address is taken")
    parser.add_argument("--suffix", default="", help="what is added to the first node's name")
    parser.add_argument("--ports", required=True, metavar="FIRST-LAST")
    asked = parser.parse_args()
    node = os.environ.get("SLURMD_NODENAME") or socket.gethostname()
    first, _, last = asked.ports.partition("-")
    try:
        address = ipv4_of(asked.interface, node) if asked.interface else node + asked.suffix
        print(address, free_port(int(first), int(last), node))
    except LookupError as error:
        print(f"error: {error.args[0]}")


def ipv4_of(interface: str, node: str) -> str:
    """Return the IPv4 address of an interface of this machine.

    Raises:
        LookupError: there is no such interface, or it has no such address.
    """
    names = [name for _, name in socket.if_nameindex()]
    if interface not in names:
        there = ", ".join(names)
        raise LookupError(f"rendezvous: {node} has no interface {interface}; it has: {there}")
    request = struct.pack("256s", interface.encode())
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        try:
            answer = fcntl.ioctl(any_socket.fileno(), SIOCGIFADDR, request)
        except OSError:
            words = f"rendezvous: interface {interface} of {node} has no IPv4 address"
            raise LookupError(words) from None
    return socket.inet_ntoa(answer[20:24])


def free_port(first: int, last: int, node: str) -> int:
    """Return a random port that nobody uses on this machine.

    Args:
        first: the lowest port to try.
        last: the highest.
        node: the name of this machine, for the message.

    Raises:
        LookupError: none was found.
    """
    ports = range(first, last + 1)
    for port in random.sample(ports, min(len(ports), MOST_TRIES)):
        if _is_free(port):
            return port
    raise LookupError(
        f"no port of {first}-{last} is free on {node}; set rendezvous: {{ports: FIRST-LAST}} in "
        "cluster.yaml to a wider range"
    )


def _is_free(port: int) -> bool:
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            with socket.socket(family, socket.SOCK_STREAM) as listener:
                if family == socket.AF_INET6:
                    listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                listener.bind(("", port))
        except OSError as error:
            if family == socket.AF_INET or error.errno == errno.EADDRINUSE:  # IPv6 may be off
                return False
    return True


if __name__ == "__main__":
    main()
