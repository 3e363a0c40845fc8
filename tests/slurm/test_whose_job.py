"""Which job is whose on a real Slurm: marks that were changed, ids given again, folders moved."""

import shutil
import sys
from pathlib import Path

import pytest

from tests.slurm.desk import (
    Desk,
    as_root,
    checkout,
    lasting,
    on_one,
    settings,
    sitting_at,
    wait_until,
)

pytestmark = as_root


@pytest.mark.slow
def test_a_measured_case_whose_job_slurm_forgot_has_ended_and_can_be_forced(desk):
    desk.submit()
    wait_until(desk.measured)
    forget_jobs(desk)
    assert desk.outcomes() == ["ok"]
    assert [end["outcome"] for end in desk.events("ended")] == ["ok"]
    assert desk.run("--watch").returncode == 0
    assert "run again (was ok)" in desk.submit("--force").stdout


def forget_jobs(desk):
    """Let Slurm forget all jobs that have ended."""
    with settings(desk.cluster, "MinJobAge=2"):
        wait_until(lambda: not desk.slurm("squeue", "--states=all", "--noheader"))


def test_an_annotated_job_is_ours_until_it_ends_and_is_cancelled(desk):
    job = desk.submit_slow_job()
    desk.slurm("scontrol", "update", f"jobid={job}", "comment=please do not kill, Ada")
    (row,) = desk.rows()
    assert (row["state"], row["outcome"]) == ("RUNNING", "–")
    assert f"left out: job {job} is RUNNING" in desk.submit().stdout
    assert desk.run("--cancel", "--grid", desk.grid).stdout.startswith(f"cancelled: 1 ({job})")
    desk.wait_for("cancelled")


@on_one
def test_a_job_whose_comment_and_script_are_not_ours_is_known_by_the_rest(desk):
    # Some sites put a script in sbatch's place that submits a copy.
    sbatch = desk.folder / "sbatch"
    real = shutil.which("sbatch")
    copy = desk.folder / "copy.sh"
    sbatch.write_text(
        f'#!/bin/sh\n[ -f "$1" ] || exec {real} "$@"\n'
        f'sed "s/^#SBATCH --comment=.*//" $1 > {copy}\nexec {real} {copy}\n'
    )
    sbatch.chmod(0o755)
    desk.write_grid(measure=lasting(600))
    desk.submit(PATH=f"{desk.folder}:{desk.environment['PATH']}")
    desk.wait_for_steps()
    (row,) = desk.rows()
    assert row["state"] == "RUNNING"
    # A ledger that somebody sent could name any job of ours so.
    done = desk.run("--cancel", "--grid", desk.grid)
    assert (done.returncode, done.stdout) == (1, "cancelled: 0\n")
    assert f"not cancelled: {row['job id']}: neither its script nor its comment" in done.stderr


@on_one
def test_a_job_that_is_given_an_old_id_does_not_end_by_the_old_ones_words(desk):
    desk.slurm("scontrol", "update", "partitionname=gpu", "state=down")
    try:
        desk.submit()
        (job,) = desk.job_ids()
        line = f"slurmstepd: error: *** STEP {job}.0 ON gpu1 CANCELLED AT now DUE TO TIME LIMIT ***"
        log = Path(desk.events("submitted")[0]["log"])
        other = log.with_name(f"{job}-{12 * '0'}{log.suffix}")
        other.write_text(line)
        desk.slurm("scancel", job)
        desk.wait_for("cancelled")
    finally:
        desk.slurm("scontrol", "update", "partitionname=gpu", "state=up")


@on_one
def test_jobs_of_a_folder_that_was_moved_are_shown_and_left_alone_with_the_reason(desk):
    job = desk.submit_slow_job()
    old = desk.results.rename(desk.folder / "moved")
    desk.results, old = old, desk.results
    desk.store = desk.results / desk.profile
    status = desk.run("--status")
    assert f"was moved or copied from {old}/{desk.profile}" in status.stderr
    assert f"cp -rn -- {old}/{desk.profile}/. {desk.store}/" in status.stderr
    done = desk.run("--cancel", "--grid", desk.grid)
    assert (done.returncode, done.stdout) == (1, "cancelled: 0\n")
    assert f"not cancelled: {job}: submitted into {old}" in done.stderr
    assert f"left out: job {job} is RUNNING" in desk.submit().stdout


@on_one
def test_a_result_that_is_seen_late_is_waited_for(cluster, tmp_path):
    root = checkout(tmp_path / "checkout", "patient", keys={"result_wait_s": 600})
    with sitting_at(Desk(cluster, tmp_path, root=root, profile="patient")) as desk:
        desk.submit()
        wait_until(lambda: desk.measured() and not desk.queue())
        (result,) = desk.store.glob("*.json")
        hidden = result.rename(tmp_path / "late.json")
        (row,) = desk.rows()
        assert (row["outcome"], row["reason"]) == ("–", "waiting for its result")
        assert "(waiting for its result)" in desk.submit().stdout
        hidden.rename(result)
        assert desk.outcomes() == ["ok"]


@on_one
def test_others_than_root_see_their_jobs_in_a_hidden_partition(desk):
    # Nobody, who may read root's files, so that Python runs.
    may_read = ("--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search")
    nobody = ["setpriv", "--reuid=nobody", "--clear-groups", *may_read]
    find = (
        "from jobs.slurm.queue import exit_codes, jobs_in_queue\n"
        "print(*(job.job_id for job in jobs_in_queue(['nobody'])), *exit_codes('nobody'))"
    )
    submit = ("sbatch", "--parsable", "--hold", "--output=/dev/null", "--chdir=/", "--wrap=true")
    desk.slurm("scontrol", "update", "partitionname=gpu", "hidden=yes")
    try:
        job = desk.slurm(*nobody, *submit).strip()
        assert desk.slurm(*nobody, sys.executable, "-c", find).split().count(job) == 2
    finally:
        desk.slurm("scontrol", "update", "partitionname=gpu", "hidden=no")
        desk.slurm("scancel", job)
