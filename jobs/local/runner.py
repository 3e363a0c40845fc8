"""The local executor: cases one after another, each in a fresh process."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from statistics import median
from types import FrameType

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
from rich.progress import Progress as ProgressBar

from jobs.executor import Executor, Poller
from jobs.job_log import find_cause, last_line
from jobs.local.gpus import largest_gpu, why_no_gpu
from jobs.local.process import LocalPoller, process_name
from jobs.planned import PlannedCase, count_gpus
from jobs.profile import Profile
from jobs.status.case_status import CaseStatus
from jobs.status.results import ResultFiles, archive_old_results
from jobs.worker.rank import VARIABLES
from predict.memory.gpu_size import GpuSize
from study.case import Case
from study.errors import ConfigError, explain
from study.outcome import Outcome
from study.paths import ROOT
from study.processes import check_processes
from study.quoting import quoted
from study.results.calibration.record import Calibration
from study.results.file import read_result
from study.results.result import Result
from study.storage.files import open_own
from study.storage.ledger import Submission, append
from study.storage.progress import read_progress
from study.storage.store import Store
from study.text import printable
from study.values.description import cut, model_words
from study.values.placeholders import as_text

POLL_S = 0.2
GRACE_S = 5.0


class LocalExecutor(Executor):
    """Runs the cases of a plan here, one process after another, with a progress bar."""

    in_background = False

    @classmethod
    def check_profile(cls, profile: Profile, given: Collection[str]) -> None:
        """Refuse keys that are for Slurm."""
        for key in given:
            if key not in ("executor", "device", "gpu_memory_gb"):
                value = quoted(getattr(profile, key))
                raise ConfigError(
                    profile.source, f"{key}: {value} is for executor: slurm; remove it"
                )

    @staticmethod
    def new_poller() -> Poller:
        """Return a poller of local processes."""
        return LocalPoller()

    @property
    def emulates_gpus(self) -> bool:
        """True if no job here computes on a real GPU."""
        return self.profile.device == "cpu" or why_no_gpu() is not None

    def gpu_size(self) -> GpuSize | None:
        """Return the memory of the profile's GPUs, or of this machine's; None if unknown."""
        size = super().gpu_size()
        return size if size is not None or self.emulates_gpus else largest_gpu()

    def find_problem(self, case: Case) -> str | None:
        """Return why the case needs a GPU that no job here can have."""
        needs = {"dtype: tf32": case.dtype == "tf32"}
        needs["execution: cuda_graph"] = case.execution == "cuda_graph"
        what = next((key for key, is_needed in needs.items() if is_needed), None)
        if what is None or self.profile.device == "cpu" or (why := why_no_gpu()) is None:
            return None
        return f"{what} needs a real GPU, and {why}"

    def check(self, planned: list[PlannedCase]) -> None:
        """Refuse --requeue, and cases with more processes than this machine can hold."""
        super().check(planned)
        check_processes(max((p.case.gpus for p in planned if p.case.in_processes), default=1))

    def submit(
        self, planned: list[PlannedCase], running: Sequence[Submission]
    ) -> Iterator[list[Submission]]:
        """Run the cases, and yield each once it has ended.

        Raises:
            KeyboardInterrupt: Ctrl-C or a signal to end; the case under way is stopped and noted.
            OSError: the disk refuses the first case.
        """
        columns = (
            TextColumn("[bold]{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[phase]}"),
        )
        console = Console(stderr=True, highlight=False, soft_wrap=True)
        with _signals_as_interrupt(), ProgressBar(*columns, console=console) as bar:
            task = bar.add_task("", total=len(planned), phase="")
            for number, each in enumerate(planned):
                bar.update(task, description=each.case.case_id, phase="start")
                try:
                    submission, summary = self._run(
                        each, lambda phase: bar.update(task, phase=phase)
                    )
                except OSError as error:
                    if number == 0:
                        raise  # nothing was measured
                    problem = escape(explain(error))
                    bar.console.print(f"[red]error[/] {problem}; the rest is not run")
                    return
                bar.console.print(summary)
                bar.advance(task)
                yield [submission]
            bar.update(task, description="done", phase="")

    def _run(self, planned: PlannedCase, show: Callable[[str], None]) -> tuple[Submission, str]:
        """Run the case, and return its submission and a line on its end."""
        store, case = self.store, planned.case
        path, (assignment,) = self.write_batch([planned])
        log = store.log_path(case.case_id, assignment.batch)
        (aside,) = archive_old_results([planned], store)
        child = _start_worker(path, log)
        submission = assignment.submitted_as(process_name(child.pid), log)
        try:
            append(store.submissions, submission)
            _follow(child, store.progress_path(case, assignment.batch), show)
        except (KeyboardInterrupt, OSError) as error:
            _stop(child)
            store.put_back(case, aside)
            if isinstance(error, KeyboardInterrupt):
                _note_end(submission, store, "cancelled", "interrupted")
            raise
        head = ResultFiles().of_attempt(store, assignment)
        result = None if head is None or head.problem else read_result(head.path)
        why = ""
        if result is None:
            cause = find_cause(log)
            ended = f"its process ended {_end_of(child.returncode)}"
            why = cause.line if cause else ": ".join(filter(None, [ended, last_line(log)]))
            _note_end(submission, store, "error", why if cause else f"{why}; see {log}")
        return submission, _summary(case, result, why, log)


def _start_worker(batch: Path, log: Path) -> subprocess.Popen[bytes]:
    with os.fdopen(open_own(log), "w") as log_file:
        # In another session, so that Ctrl-C reaches only us and the end is ours to order.
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


def _note_end(submission: Submission, store: Store, outcome: Outcome, why: str) -> None:
    status = CaseStatus(submission=submission, outcome=outcome, why=why, told_by="submit.py")
    append(store.submissions, status.ended())


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


def _summary(case: Case, result: Result | None, why: str, log: Path) -> str:
    name = f"{case.case_id}  ({_sizes(case)})"
    if result is not None and result.calibration is not None:
        return f"[green]ok[/]  {name}: {_calibrated(result.calibration, result.emulated)}"
    part = None if result is None else result.program or result.measurement
    if result is None or part is None or result.error is not None:
        problem = (
            f"no result: {why}" if result is None else f"{result.outcome}: {result.why_failed}"
        )
        return f"[red]failed[/]  {name}: {escape(printable(problem))}; log: {escape(str(log))}"
    times = part.step_times_s
    label = ", [yellow]emulated[/]" if result.emulated else ""
    if result.program is not None and not result.program.tells_steps:
        return f"[green]ok[/]  {name}: {times[0]:.4g} s in all; it said no steps{label}"
    steps = "1 step" if len(times) == 1 else f"{len(times)} steps"
    return f"[green]ok[/]  {name}: {median(times):.4g} s a step, {steps}{label}"


def _calibrated(found: Calibration, emulated: bool) -> str:
    missing = "" if found.is_whole else f", left out: {len(found.left_out)}"
    label = ", [yellow]emulated[/]" if emulated else ""
    return f"calibrated in {found.measuring_s:.3g} s{missing}{label}"


def _sizes(case: Case) -> str:
    arguments = [f"{name}={cut(as_text(value))}" for name, value in case.arguments.items()]
    return escape(", ".join([model_words(case), count_gpus(case.gpus), *arguments]))


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
