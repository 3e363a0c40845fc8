"""One GPT on our pipelines, on torchgpipe, torch's tracer and DeepSpeed, in turns.

    pip install torchgpipe==0.0.7 --no-deps
    DS_BUILD_OPS=0 pip install deepspeed==0.19.8
    python benchmarks/peers.py --gpus 2 --preset gpt2-medium --batch-size 16 --micro-batches 8

Every round starts each of them anew, with the same layers, cut, batch, loss, optimizer and dtype.
`ours` are 1F1B and GPipe as a job runs them; torchgpipe is GPipe in one process; the tracer is
torch.distributed.pipelining.pipeline with the whole model, under 1F1B; `deepspeed` is its pipeline
engine with weights and Adam's state in the dtype, as ours, and `deepspeed master` is the same with
float32 master weights, which costs more work than ours. Markdown on stdout: medians of the rounds,
and each peer over ours with a 95 % interval over rounds. A peer that fails has its reason below
the table and is not tried again.
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from mp.launcher.failure_files import is_rank
from mp.launcher.launcher import start_ranks

RIVAL = {
    "torch's tracer 1f1b": "ours 1f1b",
    "deepspeed 1f1b": "ours 1f1b",
    "deepspeed master 1f1b": "ours 1f1b",
    "torchgpipe": "ours gpipe",
}
PEERS = ("ours 1f1b", *list(RIVAL)[:3], "ours gpipe", "torchgpipe")
SAYS = "peer: "  # begins the one line that is not a library's
LONGEST = 300  # characters of a reason
LONGEST_S = 180.0  # of one peer in one round


def main() -> int:
    """Run all peers in turns, or be one of them."""
    arguments = parse_arguments()
    if arguments.peer is None:
        return show(arguments)
    if arguments.peer != "torchgpipe" and not is_rank():
        return start_ranks(arguments.gpus)
    try:
        from benchmarks.peer_steps import time_alone, time_together  # load torch

        if arguments.peer == "torchgpipe":
            say(*time_alone(arguments))
        else:
            time_together(arguments, say)
    except Exception as error:
        say_why(f"{type(error).__name__}: {error}")
        raise
    return 0


def parse_arguments() -> argparse.Namespace:
    """Return the options: sizes of the GPT, and how often."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for key, value in (("gpus", 2), ("batch-size", 16), ("micro-batches", 8)):
        parser.add_argument(f"--{key}", type=int, default=value)
    for key in ("depth", "dim", "heads", "seq-len", "vocab"):
        parser.add_argument(f"--{key}", type=int, help="default: the preset's")
    parser.add_argument("--preset", default="gpt2-medium")
    parser.add_argument("--dtype", default="bfloat16")
    parser.add_argument("--optimizer", default="adam")
    parser.add_argument("--steps", type=int, default=20, help="timed in every round; default 20")
    parser.add_argument("--rounds", type=int, default=3, help="default 3")
    parser.add_argument("--within", type=float, default=1800.0, metavar="SECONDS",
                        help="start no peer later than this; default 1800")  # fmt: skip
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--peer", help=argparse.SUPPRESS)
    return parser.parse_args()


def show(arguments: argparse.Namespace) -> int:
    """Print a row for each peer; return 1 if none could run."""
    rounds: dict[str, list[list[float]]] = {}
    losses: dict[str, float | None] = {}
    reasons: dict[str, str] = {}
    if arguments.dtype != "bfloat16":
        reasons["deepspeed master 1f1b"] = "only with --dtype bfloat16"
    end = time.monotonic() + arguments.within
    for _ in range(arguments.rounds):
        for peer in PEERS:
            if peer in reasons or time.monotonic() > end:
                continue
            found = run_peer(peer)
            if isinstance(found, str):
                reasons[peer] = found
                continue
            rounds.setdefault(peer, []).append(found["times"])
            losses[peer] = found["loss"]
    print("| | median step of each round (ms) | first loss | beside ours (95 % CI) |")
    print("|---|---|---|---|")
    for peer, steps in rounds.items():
        each = ", ".join(f"{1e3 * median(times):.1f}" for times in steps)
        print(f"| {peer} | {each} | {losses[peer]:.5g} | {verdict(peer, rounds)} |", flush=True)
    for peer, reason in reasons.items():
        print(f"\n{peer} {'ended' if peer in rounds else 'did not run'}: {reason}", flush=True)
    return int(not rounds)


def verdict(peer: str, rounds: dict[str, list[list[float]]]) -> str:
    """Return the comparison of a peer with ours in words, each round a job."""
    from study.statistics.bootstrap import compare

    ours = rounds.get(RIVAL.get(peer, ""))
    found = compare(ours, rounds[peer]) if ours else None
    return found.words("ours", peer) if found is not None else ""


def run_peer(peer: str) -> dict[str, Any] | str:
    """Return the step times and first loss of one peer, or in one line why it does not run here."""
    command = [sys.executable, __file__, *sys.argv[1:], "--peer", peer]
    try:
        done = subprocess.run(
            command, stdout=subprocess.PIPE, text=True, check=False, timeout=LONGEST_S
        )
    except subprocess.TimeoutExpired:
        return f"was not done after {LONGEST_S:.0f} s"
    found = said(done.stdout)
    if done.returncode or "times" not in found:
        reason = str(found.get("reason", f"ended with exit code {done.returncode}"))
        print(f"{peer}: {reason}", file=sys.stderr)
        return reason
    return found


def said(stdout: str) -> dict[str, Any]:
    """Return what a peer said, among what its library prints; empty if it said nothing."""
    lines = [line for line in stdout.splitlines() if line.startswith(SAYS)]
    found: dict[str, Any] = json.loads(lines[0].removeprefix(SAYS)) if lines else {}
    return found


def say(times: list[float], loss: float | None) -> None:
    """Print what a peer measured."""
    print(f"\n{SAYS}{json.dumps({'times': times, 'loss': loss})}\n", end="", flush=True)


def say_why(reason: str) -> None:
    """Print why a peer does not run, on one line."""
    line = " ".join(reason.split())[:LONGEST]
    print(f"\n{SAYS}{json.dumps({'reason': line})}\n", end="", flush=True)


if __name__ == "__main__":
    sys.exit(main())
