"""Exit codes and words where a submission stops half-way: 2 means that nothing was submitted."""

import fcntl
import os
import re
from dataclasses import replace

import pytest

from jobs.executors import executor_of
from jobs.launch import launch, show_dry_run
from jobs.lock import results_lock
from jobs.order import SubmitOrder
from jobs.plan import RerunPolicy
from jobs.profile import Profile
from jobs.terminal.next_steps import CommandLine
from study.errors import ConfigError
from study.grids.grid import Grid
from study.outcome import parse_outcomes
from study.storage.ledger import append
from study.storage.store import Store
from tests.jobs.fake_slurm import FakeSlurm
from tests.jobs.test_slurm_answers import ended_as, submitted

PROFILE = Profile(
    "mine", "cluster.yaml: profiles.mine", "slurm", "cuda", submitit={"timeout_min": 5}
)
GRID = Grid(
    name="g", source="g.yaml", title="g", table="memory",
    axes={"gpus": (2, 4)}, setting={"depth": 20},
)  # fmt: skip


@pytest.fixture
def slurm(tmp_path, monkeypatch):
    """A Slurm that takes every job."""
    fake = FakeSlurm(tmp_path / "bin")
    monkeypatch.setenv("PATH", f"{fake.folder}:{os.environ['PATH']}")
    fake.answer("sbatch", "Submitted batch job 23\n")
    return fake


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "r", "mine")


def order(store, **choice):
    return SubmitOrder(
        [GRID], {}, executor_of(PROFILE, store), RerunPolicy(**choice), CommandLine(["g"])
    )


def test_a_ledger_that_cannot_be_appended_leaves_a_queued_job_and_is_no_2(
    slurm, store, monkeypatch, capsys
):
    def full(ledger, *events):
        raise OSError(28, "No space left on device", str(ledger))

    monkeypatch.setattr("jobs.slurm.executor.append", full)
    assert launch(order(store)) == 1
    error = capsys.readouterr().err
    assert f"{store.submissions}: No space left on device; job 23 is queued" in error
    assert "1 of 2 cases are queued; run the same command again for the rest" in error


def test_where_nobody_says_whether_a_job_was_queued_it_is_no_2(slurm, store, capsys):
    slurm.write("sbatch", f'[ "$1" = --test-only ] || {{ {break_squeue(slurm)}; exit 1; }}')
    assert launch(order(store)) == 1
    assert "0 of 2 cases are queued" in capsys.readouterr().err


def break_squeue(slurm):
    """A shell command after which squeue fails."""
    return f"printf '#!/bin/sh\\nexit 1\\n' > {slurm.folder}/squeue"


def test_a_first_job_that_slurm_refuses_is_a_2(slurm, store):
    slurm.write("sbatch", '[ "$1" = --test-only ] || { echo refused >&2; exit 1; }')
    with pytest.raises(ConfigError, match="refused"):
        launch(order(store))


def test_a_results_folder_with_a_line_break_is_refused_by_its_name(slurm, tmp_path):
    store = Store(tmp_path / "two\nlines", "mine")
    for action in (launch, show_dry_run):
        with pytest.raises(ConfigError, match=r"^--results: .*line break.*choose another"):
            action(order(store))


def test_cases_that_ended_so_with_other_settings_are_named(slurm, store, capsys):
    store.prepare()
    submitted(store, "17", overrides={"dim": 256})
    append(store.submissions, ended_as(store, "17", "timeout"))
    narrowed = GRID.with_overrides({"dim": 512})
    asked = SubmitOrder(
        [narrowed], {"dim": 512}, executor_of(PROFILE, store),
        RerunPolicy(only=parse_outcomes("failed", "--only")), CommandLine(["g"]),
    )  # fmt: skip
    assert launch(asked) == 0
    said = capsys.readouterr()
    assert "0 to run" in said.out
    assert "1 case of g ended so with other settings: repeat --set dim=256" in said.err


def test_a_file_system_without_locks_is_said_with_what_to_do(store, monkeypatch, capsys):
    def refuse(file, how):
        raise OSError(37, "No locks available")

    store.prepare()
    monkeypatch.setattr(fcntl, "flock", refuse)
    with results_lock(store):
        pass
    said = capsys.readouterr().err
    assert re.search(r"cannot lock files \(No locks available\).*start one at a time, or", said)


def test_a_folder_of_somebody_else_is_refused_by_that_name(store, monkeypatch):
    store.prepare()
    monkeypatch.setattr("os.getuid", lambda: 4_000_000)
    with pytest.raises(ConfigError, match="belongs to root; choose a folder of yours"):
        store.prepare()


def test_the_jobs_of_a_dry_run_wait_for_one_another_as_those_of_a_real_one_do(slurm, store, capsys):
    narrow = Profile(
        "mine", "cluster.yaml: profiles.mine", "slurm", "cuda", max_parallel=1,
        submitit={"timeout_min": 5},
    )  # fmt: skip
    asked = SubmitOrder([GRID], {}, executor_of(narrow, store), RerunPolicy(), CommandLine(["g"]))
    show_dry_run(asked)
    assert capsys.readouterr().out.count("#SBATCH --dependency=afterany:JOB1\n") == 1
    launch(asked)
    scripts = [path.read_text() for path in store.batches.glob("*.sh")]
    assert sum("--dependency=afterany:23\n" in script for script in scripts) == 1


def test_a_dry_run_shows_one_script_for_jobs_that_ask_for_the_same_and_the_plan_last(
    slurm, store, capsys
):
    wide = replace(GRID, axes={"gpus": (2, 4), "dim": (64, 128, 256)})
    made = SubmitOrder([wide], {}, executor_of(PROFILE, store), RerunPolicy(), CommandLine(["g"]))
    show_dry_run(made)
    shown = capsys.readouterr().out
    assert shown.count("#SBATCH --time=") == 2
    for gpus in (2, 4):
        title = rf"^# sbatch script of 3 jobs on {gpus} GPUs each, here of d20-g{gpus}-\w+; they "
        assert re.search(f"{title}differ in name, comment and log$", shown, re.MULTILINE)
    scripts, plan = shown.split("Plan for profile")
    assert "#SBATCH" in scripts
    assert "#SBATCH" not in plan
