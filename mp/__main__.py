"""`python -m mp --depth 20 --gpus 5`: run one case here and now; print its result as JSON.

torch is imported once a case runs: not for options, nor in a process that only starts ranks.
"""

import argparse
import os
import sys
from functools import partial
from pathlib import Path
from typing import BinaryIO

from study.first_contact import first_contact

with first_contact(needs_linux=True):
    import msgspec

    from mp.hardware import POLICIES
    from mp.launcher.failure_files import Loss, is_rank, mark_result_written
    from mp.launcher.launcher import is_first, start_ranks
    from mp.launcher.loading import no_search_while_loading
    from mp.summary import summarize
    from study.case import Case
    from study.command_line.case_options import add_case_options, parse_case
    from study.command_line.parser import OneLineParser
    from study.errors import CaseError, ConfigError
    from study.results.file import encode
    from study.results.result import Job, Result
    from study.storage.files import check_target
    from study.storage.progress import Progress
    from study.storage.store import now

PROGRAM = "python -m mp"


def main() -> int:
    """Run the case of the command line; return the exit code."""
    arguments = parse_arguments()
    try:
        if sys.stdout is None:
            raise ConfigError("stdout", "is closed; the result goes there, so send it somewhere")
        if arguments.inspect:
            return show_inspection(arguments)
        case = parse_case(arguments, PROGRAM)
        check_trace(arguments.trace, case)
    except ConfigError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    started = now()
    if case.in_processes and not is_rank():  # stdout stays as it is: the first rank writes there
        return start_ranks(case.gpus, partial(_show_lost, case, arguments.device, started))
    output = own_stdout()
    with first_contact(), no_search_while_loading():
        from mp.run import run_case
        from mp.timing.phases import since_process_start_s

    job = _job(case, arguments.device, started)
    show = partial(_show, output)
    result = run_case(
        case, arguments.device, job, _report, arguments.trace, show, since_process_start_s()
    )
    if is_first():
        show(result)
    return 0 if result.outcome == "ok" else 1


def show_inspection(arguments: argparse.Namespace) -> int:
    """Print what is known of the model before it runs; return the exit code."""
    with first_contact(), no_search_while_loading():
        from mp.inspection.inspect import inspect

    output = own_stdout()
    try:
        output.write(inspect(arguments, PROGRAM).encode())
    except (CaseError, ConfigError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    output.flush()
    return 0


def own_stdout() -> BinaryIO:
    """Return a stream to stdout; what anything else prints there goes to stderr from now on."""
    sys.stdout.flush()
    mine = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return mine


def _show_lost(case: Case, device: str, started: str, loss: Loss) -> None:
    """Print the result of a case that lost a rank."""
    from mp.run import lost_case

    _show(sys.stdout.buffer, lost_case(case, _job(case, device, started), loss))


def _job(case: Case, device: str, started: str) -> Job:
    from mp.hardware.devices import visible_gpus

    return Job(
        executor="none",
        slurm_job_id=None,
        requested_gpus=case.gpus,
        allocated_gpus=None,
        visible_gpus=None if device == "cpu" else visible_gpus(),
        submitted_at=None,
        started_at=started,
        finished_at=started,
    )


def _show(output: BinaryIO, result: Result) -> None:
    """Write the result to the output, and a line for a person on stderr."""
    job = msgspec.structs.replace(result.job, finished_at=now())
    mark_result_written()
    try:
        output.write(encode(msgspec.structs.replace(result, job=job)))
        output.flush()
    except OSError as error:
        print(f"error: stdout: {error.strerror}; the result is lost", file=sys.stderr, flush=True)
        os._exit(2)  # a second attempt to write, at the interpreter's end, would fail as well
    if result.error is not None:
        print(f"{result.outcome}: {result.error.message}", file=sys.stderr, flush=True)
    else:
        print(summarize(result), file=sys.stderr, flush=True)


def parse_arguments() -> argparse.Namespace:
    """Read an option for every key of a case, and the device."""
    parser = OneLineParser(
        prog=PROGRAM,
        usage=f"{PROGRAM} --depth N --gpus N [options] > result.json",
        description="Run one case here and now. Its result goes to stdout as JSON; progress and a "
        "summary go to stderr.",
    )
    add_case_options(parser)
    parser.add_argument(
        "--device",
        choices=POLICIES,
        default="auto",
        help="auto: real GPUs if there are enough, else all emulated on one GPU, or on the CPU; "
        "cpu: emulated on the CPU; cuda: real GPUs or none; default auto",
    )
    parser.add_argument(
        "--trace",
        type=Path,
        metavar="FILE",
        help="also write the instrumented steps as a Chrome trace, for ui.perfetto.dev",
    )
    parser.add_argument(
        "--inspect",
        action="store_true",
        help="run nothing; show the model's layers, cuts for 2, 4 and 8 GPUs, memory, and what is "
        "refused; needs no GPU, nor --gpus and the --depth of a factory",
    )
    return parser.parse_args()


def check_trace(path: Path | None, case: Case) -> None:
    """Refuse, before anything is measured, a trace that could not be written.

    Raises:
        ConfigError: it could not.
    """
    if path is None:
        return
    if case.execution == "cuda_graph":
        raise ConfigError(
            "--trace", "the steps of a CUDA graph cannot be traced; use --execution eager"
        )
    check_target(path, "--trace")


def _report(progress: Progress) -> None:
    if progress.step <= 1 and is_first():
        print(f"{progress.phase} ...", file=sys.stderr)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        if not is_rank():  # who started all says it for all
            print("Interrupted.", file=sys.stderr)
        sys.exit(1)
