"""Preemption on a real Slurm: a job of a partition with a higher priority takes the nodes.

The private cluster has a partition for each way in which Slurm takes them: `cancelled`, `requeued`
and `suspended`. The job of `urgent` asks for CPUs, since Slurm gives the GPUs of a suspended job to
nobody else.
"""

import pty
import subprocess
from contextlib import contextmanager

from tests.cluster.cluster import PLAIN
from tests.slurm.desk import (
    PATIENCE_S,
    SLOW,
    Desk,
    as_root,
    checkout,
    read_until,
    rows_of,
    sitting_at,
    stand_in,
    wait_until,
)

pytestmark = as_root


@contextmanager
def at_a_desk(cluster, folder, partition):
    """A desk whose profile names this partition, and one case whose steps end when told to."""
    (folder / "checkout").mkdir()
    root = checkout(folder / "checkout", "low", slurm_partition=partition, mem_gb=7)
    with sitting_at(Desk(cluster, folder, root=root, profile="low")) as desk:
        desk.write_grid(gpus="[1]", depth="[1]", measure=SLOW)
        yield desk


def start(desk, *arguments):
    """Submit, and wait for the timed steps; the job."""
    desk.submit(*arguments, **stand_in(until=desk.folder / "enough"))
    desk.wait_for_steps()
    return desk.job_ids()[-1]


def end_steps(desk):
    """Let the job's steps come to their end."""
    (desk.folder / "enough").touch()


@contextmanager
def an_urgent_job(desk):
    """A job that takes every CPU, running."""
    urgent = desk.slurm(
        *("sbatch", "--parsable", "--partition=urgent", "--nodes=2", "--ntasks-per-node=16"),
        *("--mem=1000", "--output=/dev/null", "--wrap=sleep 600"),
    ).strip()
    wait_until(lambda: "JobState=RUNNING" in desk.slurm("scontrol", "show", "job", urgent))
    yield
    desk.slurm("scancel", urgent)


def test_a_job_preempted_by_cancel_is_preempted_and_a_rerun_submits_it_again(cluster, tmp_path):
    with at_a_desk(cluster, tmp_path, "cancelled") as desk:
        first = start(desk)
        with an_urgent_job(desk):
            (row,) = desk.wait_for("preempted")
            assert (row["job id"], row["state"]) == (first, "PREEMPTED")
        assert "PREEMPTED" in desk.reason()
        assert desk.reason() in desk.table()
        assert "run again (was preempted)" in desk.submit().stdout
        assert len(desk.job_ids()) == 2


def test_a_job_preempted_by_requeue_that_must_not_be_requeued_is_preempted(slurm, tmp_path):
    with at_a_desk(PLAIN, tmp_path, "requeued") as desk:
        start(desk)
        with an_urgent_job(desk):
            (row,) = desk.wait_for("preempted")
            assert row["state"] == "PREEMPTED"


def test_a_job_preempted_by_requeue_runs_again_where_it_may(slurm, tmp_path):
    with at_a_desk(PLAIN, tmp_path, "requeued") as desk:
        job = start(desk, "--requeue")
        with an_urgent_job(desk):
            wait_until(lambda: desk.rows()[0]["state"] == "PENDING")
            assert desk.outcomes() == ["–"]
            end_steps(desk)
        # Slurm lets it wait for two minutes; a node refuses a job that it ended a moment ago.
        wait_until(lambda: "Reason=BeginTime" in desk.slurm("scontrol", "show", "job", job))
        desk.slurm("scontrol", "update", f"jobid={job}", "starttime=now+3")
        (row,) = desk.wait_for("ok")
        assert row["job id"] == job
        assert desk.measured()[0]["job"]["attempt"] == 2


def test_a_job_preempted_by_suspension_is_suspended_and_goes_on(slurm, tmp_path):
    with at_a_desk(PLAIN, tmp_path, "suspended") as desk:
        start(desk)
        ours, theirs = pty.openpty()
        with an_urgent_job(desk):
            (row,) = desk.rows()
            assert (row["state"], row["outcome"]) == ("SUSPENDED", "–")
            watch = subprocess.Popen(
                desk.command("--watch"), cwd=desk.root, env=desk.environment | {"TERM": "xterm"},
                stdout=subprocess.PIPE, stderr=theirs, text=True,
            )  # fmt: skip
            assert "SUSPENDED" in read_until(ours, "Ctrl-C leaves; the jobs go on")
        end_steps(desk)
        shown, _ = watch.communicate(timeout=PATIENCE_S)
        assert watch.returncode == 0
        assert [row["outcome"] for row in rows_of(shown)] == ["ok"]
        assert desk.measured()[0]["job"]["attempt"] == 1
