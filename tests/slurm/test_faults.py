"""Faults on a real Slurm, without and with accounting: every case ends as the right row."""

import os
import signal
import subprocess
import time

import pytest

from tests.slurm.desk import PATIENCE_S, ROOT, SLOW, Desk, wait_until

pytestmark = [
    pytest.mark.slurm,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root may disturb Slurm's daemons"),
]


@pytest.fixture
def desk(cluster, tmp_path):
    """A results folder of its own; its jobs are ended, and the nodes mended, afterwards."""
    desk = Desk(cluster, tmp_path)
    yield desk
    for node in ("gpu1", "gpu2"):
        (cluster.folder / f"broken.{node}").unlink(missing_ok=True)
        desk.mend(node)
    cluster.ask("scancel", "--user=root")
    wait_until(lambda: not cluster.ask("squeue", "--noheader"))
    wait_until(cluster.is_up)


def test_a_worker_killed_by_sigkill_is_an_error_and_leaves_where_it_was(desk):
    job = desk.submit_slow_job()
    desk.kill_worker(job)
    (row,) = desk.wait_for("error")
    assert row["state"] == "FAILED"
    assert row["node"] in ("gpu1", "gpu2")
    assert "killed by SIGKILL" in desk.reason()
    assert row["last seen"].startswith("timing")
    assert desk.reason() in desk.table()


def test_scancel_while_pending_is_cancelled(desk):
    desk.slurm("scontrol", "update", "partitionname=gpu", "state=down")
    try:
        desk.submit()
        (row,) = desk.rows()
        assert (row["state"], row["outcome"]) == ("PENDING", "–")
        assert "Partition" in row["reason"]
        desk.slurm("scancel", *desk.job_ids())
        (row,) = desk.wait_for("cancelled")
        assert row["state"] == "CANCELLED"
    finally:
        desk.slurm("scontrol", "update", "partitionname=gpu", "state=up")


def test_scancel_while_running_is_cancelled(desk):
    job = desk.submit_slow_job()
    desk.slurm("scancel", job)
    (row,) = desk.wait_for("cancelled")
    assert row["state"] == "CANCELLED"


def test_a_node_that_goes_down_under_a_job_is_node_failed(desk):
    desk.submit_slow_job()
    (row,) = desk.rows()
    assert row["state"] == "RUNNING"
    node = row["node"]
    desk.slurm("scontrol", "update", f"nodename={node}", "state=down", "reason=test")
    (row,) = desk.wait_for("node_failed")
    assert (row["state"], row["node"]) == ("NODE_FAIL", node)


def test_retries_leave_out_the_node_that_failed_and_stop_at_their_number(desk):
    desk.submit_slow_job()
    node = desk.rows()[0]["node"]
    desk.slurm("scontrol", "update", f"nodename={node}", "state=down", "reason=test")
    desk.wait_for("node_failed")
    desk.mend(node)
    again = desk.submit("--retries", "1")
    assert f"run again (was node_failed), not on {node}" in again.stdout
    job = desk.job_ids()[-1]
    assert f"ExcNodeList={node}" in desk.slurm("scontrol", "show", "job", job)
    wait_until(lambda: desk.rows()[0]["state"] == "RUNNING")
    other = desk.rows()[0]["node"]
    assert other != node
    desk.slurm("scontrol", "update", f"nodename={other}", "state=down", "reason=test")
    desk.wait_for("node_failed")
    desk.mend(other)
    third = desk.submit("--retries", "1")
    assert "left out: node_failed, 2 times now: --retries 1 is used up" in third.stdout
    assert len(desk.job_ids()) == 2


def test_a_killed_and_restarted_slurmd_loses_no_case(desk):
    desk.write_grid(measure="measure: {warmup_steps: 1, steps: 1000000, time_limit_s: 6}")
    desk.submit()
    desk.wait_for_steps()
    node = desk.rows()[0]["node"]
    desk.cluster.stop(f"slurmd.{node}", by=signal.SIGKILL)
    desk.cluster.start_node(node)
    desk.wait_for("ok")


def test_a_restarted_slurmctld_loses_no_case(desk):
    desk.write_grid(measure="measure: {warmup_steps: 1, steps: 1000000, time_limit_s: 6}")
    desk.submit()
    desk.wait_for_steps()
    desk.cluster.stop("slurmctld")
    desk.cluster.start_controller()
    desk.wait_for("ok")


def test_without_slurmctld_the_status_is_what_lies_on_disk_and_nothing_is_submitted(desk):
    job = desk.submit_slow_job()
    desk.cluster.stop("slurmctld")
    try:
        started = time.monotonic()
        status = desk.run("--status")
        refused = desk.run("--grid", desk.grid, "--force")
        assert time.monotonic() - started < PATIENCE_S
    finally:
        desk.cluster.start_controller()
    assert "Slurm does not answer" in status.stderr
    assert job in status.stdout
    assert "timing" in status.stdout
    assert status.returncode == 1
    assert refused.returncode == 2
    assert refused.stderr.count("\n") == 1
    assert desk.job_ids() == [job]
    wait_until(lambda: desk.rows() and desk.rows()[0]["state"] == "RUNNING")


def test_a_job_that_slurm_holds_for_ever_is_node_failed_and_watching_ends(desk):
    for node in ("gpu1", "gpu2"):
        (desk.cluster.folder / f"broken.{node}").touch()
    desk.submit("--requeue")
    (row,) = desk.wait_for("node_failed")
    assert (row["state"], row["reason"]) == ("PENDING", "launch failed requeued held")
    assert desk.run("--watch").returncode == 1
    left_out = desk.submit()
    assert "is PENDING (launch failed requeued held)" in left_out.stdout


def test_a_job_that_no_node_can_launch_is_node_failed_though_slurm_says_cancelled(desk):
    for node in ("gpu1", "gpu2"):
        (desk.cluster.folder / f"broken.{node}").touch()
    desk.submit()
    (row,) = desk.wait_for("node_failed")
    assert row["state"] == "CANCELLED"
    assert "Error running slurm prolog" in desk.reason()


def test_gpus_unlike_the_requested_ones_are_a_mismatch(desk):
    # SBATCH_GRES is an option of Slurm's that overrides what a script asks for.
    desk.submit(SBATCH_GRES="gpu:3")
    desk.wait_for("gpu_mismatch")
    assert desk.measured()[0]["job"]["allocated_gpus"] == 3
    assert "GPUs requested: 2, allocated by Slurm: 3" in desk.measured()[0]["error"]["message"]


def test_an_exception_in_the_model_is_an_error(desk):
    desk.submit(**fault("mp.model.LargeLinearModelMP.forward = broken(RuntimeError('no')) "))
    desk.wait_for("error")
    assert desk.measured()[0]["error"] == {"type": "RuntimeError", "message": "no"}


def test_a_gpu_that_runs_out_of_memory_is_oom_gpu(desk):
    error = "torch.cuda.OutOfMemoryError('CUDA out of memory, simulated')"
    desk.submit(**fault(f"mp.model.LargeLinearModelMP.forward = broken({error})"))
    desk.wait_for("oom_gpu")


def test_a_case_that_slurm_kills_at_its_memory_limit_is_oom_host(desk):
    desk.submit("--set", "dim=6000", SBATCH_MEM_PER_NODE="700")
    desk.wait_for("oom_host")
    assert "memory limit" in desk.reason()


def test_a_case_that_is_refused_memory_is_oom_host(desk):
    # Slurm gives a job the limits of the shell that submitted it.
    command = desk.command("--grid", desk.grid, "--set", "dim=12000")
    subprocess.run(
        ["prlimit", "--as=5000000000", *command], env=desk.environment, check=True, cwd=ROOT
    )
    desk.wait_for("oom_host")
    assert "DefaultCPUAllocator" in desk.measured()[0]["error"]["message"]


def test_only_what_failed_runs_again(desk):
    desk.write_grid(gpus="[1, 2]")
    forward = "mp.model.LargeLinearModelMP.forward"
    desk.submit(**fault(f"{forward} = broken(RuntimeError('no'), {forward}, gpus=2)"))
    desk.wait_for("ok", "error")
    wait_until(lambda: not desk.queue())
    assert "has failed (error); --only error or --force runs it again" in desk.submit().stdout
    assert "not asked for: ok" in desk.submit("--only", "timeout,error").stdout
    desk.wait_for("ok", "ok")
    assert len(desk.job_ids()) == 3
    assert len(list((desk.store / "replaced").iterdir())) == 1


def fault(statement):
    """The environment in which a job's Python runs this statement before the model is used."""
    return {"PYTHONPATH": str(ROOT / "tests/slurm/faults"), "MPBENCH_FAULT": statement}


def test_submit_killed_between_two_submissions_forgets_none_and_doubles_none(desk):
    desk.write_grid(gpus="[1, 2, 3, 4]", measure=SLOW)
    for victim_after in (1, 2):
        process = subprocess.Popen(
            desk.command("--grid", desk.grid), cwd=ROOT, env=desk.environment,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        wait_until(lambda n=victim_after: len(desk.queue()) >= n)
        process.kill()
        process.wait()
    desk.submit()
    assert len(desk.queue()) == len(set(desk.queue())) == 4
    assert len(desk.rows()) == 4
