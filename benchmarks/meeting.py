"""Seconds that four ranks take to meet: by our store, whose ranks prove themselves, and torch's.

    python benchmarks/meeting.py [--runs 15] [--ranks 4]

Both in turn, from forked ranks that are ready to the first all-reduce that all have done. torch's
way (TCPStore) is written here in full. It prints medians, and what ours takes longer.
"""

import argparse
import os
import sys
import time
import warnings
from collections.abc import Callable
from multiprocessing import Barrier, Queue
from pathlib import Path

import torch
import torch.distributed as dist

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from statistics import median

from mp.distributed.world import join
from mp.launcher.launcher import free_port
from mp.rendezvous.secret import SECRET, new_secret
from study.statistics.samples import quartiles


def by_our_store(ranks: int) -> None:
    """Meet as a case does."""
    join(ranks, "cpu", print).all_reduce_max(0.0)


def by_torchs_store(ranks: int) -> None:
    """Meet as torchrun's processes do."""
    dist.init_process_group("gloo", init_method="env://")
    dist.all_reduce(torch.zeros(1))


def seconds(meet: Callable[[int], None], ranks: int) -> float:
    """Return the seconds until the last of so many ranks has met the others."""
    port, secret = free_port(), new_secret()
    ready = Barrier(ranks)
    took: Queue[float] = Queue()
    children = []
    for rank in range(ranks):
        if (child := os.fork()) == 0:
            os.environ |= {
                "RANK": str(rank), "WORLD_SIZE": str(ranks), "LOCAL_RANK": str(rank),
                "LOCAL_WORLD_SIZE": str(ranks), "MASTER_ADDR": "127.0.0.1",
                "MASTER_PORT": str(port), SECRET: secret,
            }  # fmt: skip
            torch.set_num_threads(1)
            ready.wait()
            start = time.perf_counter()
            meet(ranks)
            took.put(time.perf_counter() - start)
            took.close()
            took.join_thread()
            ready.wait()  # the first rank holds the store
            os._exit(0)
        children.append(child)
    slowest = max(took.get() for _ in children)
    for child in children:
        os.waitpid(child, 0)
    return slowest


def main() -> None:
    """Print the medians of both."""
    warnings.simplefilter("ignore")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--ranks", type=int, default=4)
    arguments = parser.parse_args()
    ours_s: list[float] = []
    torchs_s: list[float] = []
    for run in range(arguments.runs + 1):
        pair = [(ours_s, by_our_store), (torchs_s, by_torchs_store)]
        for times, meet in pair if run % 2 else pair[::-1]:  # neither always follows the other
            times.append(seconds(meet, arguments.ranks))
    del ours_s[0], torchs_s[0]
    for name, times in (("ours", ours_s), ("torch's", torchs_s)):
        low, high = quartiles(times)
        print(f"{name}: {median(times):.3f} s (quartiles {low:.3f} to {high:.3f})")
    differences = [a - b for a, b in zip(ours_s, torchs_s, strict=True)]
    print(f"ours takes longer by {median(differences):+.3f} s (median of pairs)")
    print(f"ratio {median([a / b for a, b in zip(ours_s, torchs_s, strict=True)]):.2f}")


if __name__ == "__main__":
    main()
