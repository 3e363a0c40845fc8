"""A new executor is two subclasses and one entry: the rest of jobs/ runs it as it runs Slurm."""

import signal
import subprocess
import sys
import time
from dataclasses import replace

import msgspec
import pytest

from jobs import executors
from jobs.executor import Cancellation, Executor, Poller
from jobs.launch import launch
from jobs.monitor import Monitor, cancel_jobs, show_status
from jobs.order import SubmitOrder
from jobs.plan import RerunPolicy
from jobs.profiles import choose_profile
from jobs.terminal.next_steps import CommandLine
from study.errors import ConfigError
from study.grids.grid import Grid
from study.outcome import FAILED
from study.paths import ROOT
from study.storage.ledger import Ended, Submission, append, read
from study.storage.store import Store
from tests.conftest import PATIENCE_S

pytestmark = pytest.mark.long

GRID = Grid(
    name="g", source="g.yaml", title="g", table="memory", axes={"gpus": (1,)},
    setting={"depth": 1, "dim": 8, "batch_size": 2, "warmup_steps": 0, "steps": 3},
)  # fmt: skip
WORKER = (sys.executable, "-m", "jobs.worker")
started: dict[str, subprocess.Popen] = {}


class ProcessPoller(Poller):
    """What this test knows of the processes that it has started."""

    def refresh(self):
        self.codes = {job_id: child.poll() for job_id, child in started.items()}

    def update(self, statuses, result_wait_s):
        return [self.explain(status) for status in statuses]

    def explain(self, status):
        code = self.codes[status.submission.job_id]
        if code is None:
            return replace(status, state="RUNNING", is_live=True)
        if status.outcome is not None:  # its result says how it ended
            return replace(status, is_news=True)
        outcome = "cancelled" if code == -signal.SIGTERM else "error"
        return replace(status, outcome=outcome, why=f"exit code {code}", is_news=True)

    def cancel(self, asked, snapshot, token):
        jobs = [status.submission for status in asked if status.is_live]
        for job in jobs:
            started[job.job_id].terminate()
            started[job.job_id].wait()
        return Cancellation(jobs, [], [])


class ProcessExecutor(Executor):
    """Runs every job as a process, all at once, and leaves them behind."""

    command = WORKER

    @classmethod
    def check_profile(cls, profile, given):
        if profile.max_parallel:
            raise ConfigError(profile.source, "max_parallel: all run at once; remove it")

    @staticmethod
    def new_poller():
        return ProcessPoller()

    def submit(self, planned, running):
        for each in planned:
            path, (assignment,) = self.write_batch([each])
            log = self.store.log_path(each.case.case_id, assignment.batch)
            with log.open("w") as file:
                child = subprocess.Popen(
                    [*self.command, str(path)], cwd=ROOT, stdout=file, stderr=file
                )
            submission = assignment.submitted_as(f"{child.pid}.server-1", log)
            started[submission.job_id] = child
            append(self.store.submissions, submission)
            yield [submission]


@pytest.fixture
def profile(tmp_path, monkeypatch):
    """The profile of a file that names the new executor, which has one entry."""
    monkeypatch.setitem(executors.EXECUTORS, "process", lambda: ProcessExecutor)
    path = tmp_path / "cluster.yaml"
    path.write_text("profiles: {mine: {executor: process, device: cpu}}\n")
    yield choose_profile("mine", path)
    for child in started.values():
        child.kill()
        child.wait()
    started.clear()


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "r", "mine")


def submit(profile, store, command=WORKER, **policy):
    executor = executors.executor_of(profile, store)
    executor.command = command
    return launch(SubmitOrder([GRID], {}, executor, RerunPolicy(**policy), CommandLine(["g"])))


def status(store, capsys):
    """What `--status` prints."""
    show_status(Monitor(store.folder.parent, "auto", [GRID]))
    return capsys.readouterr().out


def wait():
    for child in started.values():
        child.wait(PATIENCE_S)


def test_a_case_is_measured_by_a_job_of_a_new_executor(profile, store, capsys):
    assert submit(profile, store) == 0
    assert ".server-1" in capsys.readouterr().out
    wait()
    assert "1 ok" in status(store, capsys)
    submission, ended = read(store.submissions)[0]
    assert isinstance(submission, Submission)
    assert isinstance(ended, Ended)
    assert (submission.executor, ended.outcome) == ("process", "ok")
    assert submit(profile, store) == 0
    assert "left out: has a result" in capsys.readouterr().out


def test_a_live_job_of_a_new_executor_is_shown_and_not_started_twice(profile, store, capsys):
    submit(profile, store, ("sh", "-c", "sleep 600"))
    assert "1 RUNNING" in status(store, capsys)
    submit(profile, store)
    assert "is RUNNING" in capsys.readouterr().out
    assert len(read(store.submissions)[0]) == 1


def test_the_end_of_a_job_of_a_new_executor_is_explained_and_runs_again_if_asked_for(
    profile, store, capsys
):
    submit(profile, store, ("sh", "-c", "exit 3"))
    wait()
    assert "error: exit code 3" in status(store, capsys)
    assert read(store.submissions)[0][-1].reason == "exit code 3"
    assert submit(profile, store) == 1
    assert "left out: has failed (error)" in capsys.readouterr().out
    submit(profile, store, ("true",), only=FAILED)
    assert "run again (was error)" in capsys.readouterr().out


def test_the_jobs_of_a_new_executor_are_cancelled_and_run_again(profile, store, capsys):
    submit(profile, store, ("sh", "-c", "exec sleep 600"))
    began = time.monotonic()
    assert cancel_jobs(Monitor(store.folder.parent, "auto", [GRID])) == 0
    assert ".server-1)" in capsys.readouterr().out.partition("cancelled: 1 (")[2]
    assert time.monotonic() - began < PATIENCE_S
    assert read(store.submissions)[0][-1].outcome == "cancelled"
    submit(profile, store, ("true",))
    assert "run again (was cancelled)" in capsys.readouterr().out


def test_a_profile_of_a_new_executor_is_checked_by_it(profile, tmp_path):
    path = tmp_path / "cluster.yaml"
    for entry, complaint in (
        ("executor: process, device: cpu, max_parallel: 3", "all run at once; remove it"),
        ("executor: pbs, device: cpu", "'pbs' is not one of: slurm, local, process"),
    ):
        path.write_text(f"profiles: {{mine: {{{entry}}}}}\n")
        with pytest.raises(ConfigError, match=complaint):
            choose_profile("mine", path)


def test_what_only_slurm_can_do_is_refused_by_others(profile, store):
    executor = executors.executor_of(profile, store, requeue=True)
    with pytest.raises(ConfigError, match=r"--requeue: .* runs no Slurm; remove it"):
        executor.check([])


def test_jobs_of_an_executor_that_this_version_lacks_count_as_live(
    profile, store, capsys, monkeypatch
):
    submit(profile, store, ("sh", "-c", "sleep 600"))
    monkeypatch.delitem(executors.EXECUTORS, "process")
    assert "no executor process in this version" in status(store, capsys)
    assert cancel_jobs(Monitor(store.folder.parent, "auto", [GRID])) == 1
    assert "no executor process in this version" in capsys.readouterr().err
    assert [type(event) for event in read(store.submissions)[0]] == [Submission]


def test_a_profile_that_has_become_another_executors_starts_no_case_twice(profile, store, capsys):
    submit(profile, store, ("sh", "-c", "sleep 600"))
    now_local = replace_executor(profile, "local")
    submit(now_local, store)
    assert "is RUNNING" in capsys.readouterr().out
    assert len(read(store.submissions)[0]) == 1


def replace_executor(profile, name):
    """The profile as if its file named another executor."""
    return msgspec.structs.replace(profile, executor=name)
