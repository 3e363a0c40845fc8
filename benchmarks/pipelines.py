"""Pipelines, DDP and FSDP of ours beside naive, one GPU, torch's own classes and torchgpipe.

    python benchmarks/pipelines.py --within 240 --save steps.json
    python benchmarks/pipelines.py --gpus 2 --depth 8 --dim 256 --batch-size 512 --dtype float32

A process for each GPU; on a CPU each has cores of its own. Naive is a pipeline of one micro-batch
on the same processes. All of a group take turns, step by step: those of one number of
micro-batches, and data parallelism; naive and one GPU are in each. Eager steps take some rounds
alone before a graph is captured, so that a broken capture leaves their figures. Markdown on
stdout: a table for each group as soon as it is measured, then the targets of benchmarks/README.md.
"""

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.entries import EXECUTIONS, schedules_there_are
from benchmarks.sizes import parser_of
from mp.hardware.variables import set_default
from mp.launcher.failure_files import is_rank
from mp.launcher.launcher import start_ranks

START = time.monotonic()


def main() -> int:
    """Start the ranks, or be one of them."""
    parser = parser_of(__doc__, gpus=4, depth=24, dim=5120, batch_size=16384)
    parser.add_argument("--dtype", default="bfloat16")
    parser.add_argument("--micro-batches", type=int, nargs="+", default=[8, 16])
    parser.add_argument("--steps", type=int, default=40, help="most rounds of a group; default 40")
    parser.add_argument("--within", type=float, default=240.0, metavar="SECONDS",
                        help="end by then, whatever is done; default 240")  # fmt: skip
    parser.add_argument("--balance", default="layers")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--schedules", nargs="+", choices=schedules_there_are(),
                        default=schedules_there_are(), help="default: all")  # fmt: skip
    parser.add_argument("--executions", nargs="+", choices=EXECUTIONS, default=EXECUTIONS,
                        help="of ours; default: all")  # fmt: skip
    parser.add_argument("--bubbles", type=float, default=0.0, metavar="SECONDS",
                        help="of instrumented steps of each eager pipeline; default 0")  # fmt: skip
    parser.add_argument("--save", metavar="FILE", help="write the seconds of all steps as JSON")
    arguments = parser.parse_args()
    if not is_rank():
        return start_ranks(arguments.gpus)
    set_default("TORCH_NCCL_ASYNC_ERROR_HANDLING", "0")  # as torch asks of who captures DDP
    from benchmarks.turns import Run  # loads torch

    Run(arguments, START).measure()
    return 0


if __name__ == "__main__":
    sys.exit(main())
