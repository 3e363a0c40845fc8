"""Another user of the node, who attacks ranks as was possible while torch's store was theirs.

Started as root by test_two_users.py with the way, the port and a folder that an attack would make;
becomes that user before it does anything.
"""

import json
import os
import sys
import time
from datetime import timedelta

import torch.distributed as dist

STRANGER = 65534  # nobody
SHORTLY = timedelta(seconds=1)


class Command:
    """What makes the folder when it is unpickled."""

    def __init__(self, folder: str) -> None:
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (self.folder,)


def play_first_rank(port: int, folder: str) -> None:
    """Hold the store that ranks met at, and answer what they gather with a command."""
    store = dist.TCPStore("0.0.0.0", port, None, True, wait_for_workers=False)
    print("ready", flush=True)
    store.set("has_gpu/0", "False")
    groups = dist.PrefixStore("group", store)
    dist.init_process_group("gloo", store=groups, rank=0, world_size=2)
    said = [None, None]
    dist.all_gather_object(said, Command(folder))
    time.sleep(600)


def forge_failure(port: int, folder: str) -> None:
    """Tell the first rank, once it is there, that the other ran out of memory."""
    failure = {"rank": 1, "host": "h", "type": "OutOfMemoryError", "outcome": "oom_gpu"}
    failure["message"] = "forged"
    print("ready", flush=True)
    until = time.monotonic() + 60
    while time.monotonic() < until:
        try:
            store = dist.TCPStore("127.0.0.1", port, timeout=SHORTLY, wait_for_workers=False)
            store.set("failed", json.dumps(failure))
        except dist.DistError:
            continue
        time.sleep(600)


if __name__ == "__main__":
    os.setgroups([])
    os.setgid(STRANGER)
    os.setuid(STRANGER)
    attack = {"play_first_rank": play_first_rank, "forge_failure": forge_failure}[sys.argv[1]]
    attack(int(sys.argv[2]), sys.argv[3])
