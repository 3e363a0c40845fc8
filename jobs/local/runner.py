"""Without Slurm: the cases one after another, each in a fresh process, with a progress bar."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from statistics import median
from types import FrameType

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn
from rich.progress import Progress as ProgressBar

from jobs.batch import new_batch_name, write_batch
from jobs.handover import assign, make_way
from jobs.job_log import last_line, trace_in
from jobs.local.process import name_of_process
from jobs.plan import Item
from jobs.profile import Profile
from jobs.terminal.messages import count_gpus
from jobs.worker.output import result_of
from jobs.worker.rank import VARIABLES
from study.errors import explain
from study.outcome import Outcome
from study.paths import ROOT
from study.results.result import Result
from study.storage.files import open_own
from study.storage.ledger import Ended, Submission, append
from study.storage.progress import read_progress
from study.storage.store import Store, now
from study.text import printable

POLL_S = 0.2
GRACE_S = 5.0


def run_locally(items: list[Item], profile: Profile, store: Store) -> list[Result | None]:
    """Run the cases; each one's result, or None where its process died without one.

    Raises:
        KeyboardInterrupt: Ctrl-C or a signal to end; the case under way is stopped and noted.
    """
    columns = (
        TextColumn("[bold]{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[phase]}"),
    )
    results: list[Result | None] = []
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    with _signals_as_interrupt(), ProgressBar(*columns, console=console) as bar:
        task = bar.add_task("", total=len(items), phase="")
        for item in items:
            bar.update(task, description=item.case.case_id, phase="start")
            batch = new_batch_name(store)
            log = store.log_path(item.case.case_id, batch)
            try:
                result, why = _run_one(item, batch, log, profile, store, partial(_show, bar, task))
            except OSError as error:
                if not results:
                    raise  # nothing was measured
                bar.console.print(f"[red]error[/] {escape(explain(error))}; the rest is not run")
                return [*results, None]
            bar.console.print(_summary(item, result, why, log))
            bar.advance(task)
            results.append(result)
        bar.update(task, description="done", phase="")
    return results


def _show(bar: ProgressBar, task: TaskID, phase: str) -> None:
    bar.update(task, phase=phase)


def _run_one(
    item: Item, batch: str, log: Path, profile: Profile, store: Store, show: Callable[[str], None]
) -> tuple[Result | None, str]:
    """Return the result, or why there is none."""
    case = item.case
    (assignment,) = assign([item], batch, profile, store, config={})
    path = write_batch(store, [assignment])
    (aside,) = make_way([item], store)
    child = _start_worker(path, log)
    submission = assignment.submitted_as(name_of_process(child.pid), log)
    try:
        append(store.submissions, submission)
        _follow(child, store.progress_path(case, batch), show)
    except (KeyboardInterrupt, OSError) as error:
        _stop(child)
        store.put_back(case, aside)
        if isinstance(error, KeyboardInterrupt):
            _note_end(submission, store, "cancelled", "interrupted")
        raise
    if (result := result_of(store, assignment)) is not None:
        return result, ""
    trace = trace_in(log)
    ended = f"its process ended {_end_of(child.returncode)}"
    why = trace.line if trace else ": ".join(filter(None, [ended, last_line(log)]))
    _note_end(submission, store, "error", why if trace else f"{why}; see {log}")
    return None, why


def _start_worker(batch: Path, log: Path) -> subprocess.Popen[bytes]:
    with os.fdopen(open_own(log), "w") as log_file:
        # A session of its own, so that Ctrl-C reaches only us and the end is ours to order.
        return subprocess.Popen(
            [sys.executable, "-u", "-m", "jobs.worker", str(batch), str(os.getpid())],
            cwd=ROOT,
            env={k: v for k, v in os.environ.items() if k not in VARIABLES},
            stdin=subprocess.DEVNULL,
            stdout=log_file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def _follow(
    child: subprocess.Popen[bytes], progress_path: Path, show: Callable[[str], None]
) -> None:
    while True:
        try:
            child.wait(timeout=POLL_S)
            return
        except subprocess.TimeoutExpired:
            progress = read_progress(progress_path)
        if progress is not None:
            left_s = progress.remaining_s or 0.0
            show(f"{progress}" + (f", {left_s:.0f} s left in this phase" if left_s >= 1 else ""))


def _note_end(submission: Submission, store: Store, outcome: Outcome, reason: str) -> None:
    ended = Ended(
        case_id=submission.case_id,
        job_id=submission.job_id,
        batch=submission.batch,
        outcome=outcome,
        state=None,
        reason=reason,
        nodes="",
        elapsed_s=None,
        told_by="submit.py",
        seen_at=now(),
    )
    append(store.submissions, ended)


def _stop(child: subprocess.Popen[bytes]) -> None:
    """End the child and its ranks: politely, then for sure."""
    _signal(child, signal.SIGTERM)
    try:
        child.wait(timeout=GRACE_S)
    except subprocess.TimeoutExpired:
        _signal(child, signal.SIGKILL)
        child.wait()


def _signal(child: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(child.pid, number)


def _end_of(returncode: int) -> str:
    if returncode < 0:
        return f"by signal {signal.Signals(-returncode).name}"
    return f"with exit code {returncode} and no result"


def _summary(item: Item, result: Result | None, why: str, log: Path) -> str:
    name = f"{item.case.case_id}  (depth {item.case.depth}, {count_gpus(item.case.gpus)})"
    if result is None or result.measurement is None or result.error is not None:
        problem = (
            f"no result: {why}" if result is None else f"{result.outcome}: {result.why_failed}"
        )
        return f"[red]failed[/]  {name}: {escape(printable(problem))}; log: {escape(str(log))}"
    times = result.measurement.step_times_s
    label = ", [yellow]emulated[/]" if result.emulated else ""
    return f"[green]ok[/]  {name}: {median(times):.4g} s a step, {len(times)} steps{label}"


@contextmanager
def _signals_as_interrupt() -> Iterator[None]:
    """Let `kill` and a closed terminal end us the way Ctrl-C does."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = {
        number: signal.signal(number, interrupt) for number in (signal.SIGTERM, signal.SIGHUP)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
