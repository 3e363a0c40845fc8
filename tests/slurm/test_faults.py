"""Faults on a real Slurm, without and with accounting: every case ends as the right row."""

import json
import pty
import shutil
import signal
import subprocess
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.slurm.desk import (
    PATIENCE_S,
    REAL,
    ROOT,
    SLOW,
    Desk,
    as_root,
    checkout,
    fault,
    lasting,
    on_one,
    read_until,
    rows_of,
    settings,
    sitting_at,
    stand_in,
    wait_until,
)

pytestmark = as_root


def test_a_worker_killed_by_sigkill_is_an_error_and_leaves_where_it_was(desk):
    job = desk.submit_slow_job()
    desk.kill_worker(job)
    (row,) = desk.wait_for("error")
    assert row["state"] == "FAILED"
    assert row["node"] in ("gpu1", "gpu2")
    assert "killed by SIGKILL" in desk.reason()
    assert row["last seen"].startswith("timing")
    assert "last seen at timing" in desk.reason()
    assert desk.reason() in desk.table()
    assert desk.rows() == [row]  # a second look says the same


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


@on_one
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
    assert "left out: node_failed, 2 times now: --retries 1 is used up; raise it" in third.stdout
    assert len(desk.job_ids()) == 2


@on_one
def test_a_killed_and_restarted_slurmd_loses_no_case(desk):
    desk.write_grid(measure=lasting(6))
    desk.submit()
    desk.wait_for_steps()
    node = desk.rows()[0]["node"]
    desk.cluster.stop(f"slurmd.{node}", by=signal.SIGKILL)
    desk.cluster.start_node(node)
    desk.wait_for("ok")


@on_one
def test_a_restarted_slurmctld_loses_no_case(desk):
    desk.write_grid(measure=lasting(6))
    desk.submit()
    desk.wait_for_steps()
    desk.cluster.stop("slurmctld")
    desk.cluster.start_controller()
    desk.wait_for("ok")


def test_without_slurmctld_the_status_is_what_lies_on_disk_and_nothing_is_submitted(desk):
    job = desk.submit_slow_job()
    desk.cluster.stop("slurmctld")
    try:
        status = desk.run("--status")
        refused = desk.run("--grid", desk.grid, "--force")
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


@on_one
def test_gpus_unlike_the_requested_ones_are_a_mismatch(desk):
    # Some sites put a script in sbatch's place that changes what people ask for.
    sbatch = desk.folder / "sbatch"
    real = shutil.which("sbatch")
    sbatch.write_text(f'#!/bin/sh\n[ -f "$1" ] && sed -i s/gpu:2/gpu:3/ $1\nexec {real} "$@"\n')
    sbatch.chmod(0o755)
    desk.submit(**REAL, PATH=f"{desk.folder}:{desk.environment['PATH']}")
    desk.wait_for("gpu_mismatch")
    assert desk.measured()[0]["job"]["allocated_gpus"] == 3
    message = desk.measured()[0]["error"]["message"]
    assert "GPUs requested: 2, allocated by Slurm: 3" in message
    assert "likely cause: something between submit.py and Slurm changes what a job asks" in message


@on_one
def test_an_exception_in_the_model_is_an_error(desk):
    desk.submit(**fault("mp.model.LargeLinearModelMP.forward = broken(RuntimeError('no')) "))
    desk.wait_for("error")
    assert desk.measured()[0]["error"] == {"type": "RuntimeError", "message": "no"}


@on_one
def test_a_gpu_that_runs_out_of_memory_is_oom_gpu(desk):
    error = "torch.cuda.OutOfMemoryError('CUDA out of memory, simulated')"
    desk.submit(**fault(f"mp.model.LargeLinearModelMP.forward = broken({error})"))
    desk.wait_for("oom_gpu")


def test_a_case_that_slurm_kills_at_its_memory_limit_is_oom_host(cluster, tmp_path):
    root = checkout(tmp_path / "checkout", "small", slurm_mem="700M")
    with sitting_at(Desk(cluster, tmp_path, root=root, profile="small", real=True)) as desk:
        desk.submit("--set", "dim=6000")
        desk.wait_for("oom_host")
        assert "memory limit" in desk.reason()


@on_one
def test_a_case_that_is_refused_memory_is_oom_host(desk):
    desk.submit("--set", "dim=6000", **fault("starve(300_000_000)"))
    desk.wait_for("oom_host")
    assert "DefaultCPUAllocator" in desk.measured()[0]["error"]["message"]


@on_one
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


def test_a_job_that_reaches_its_time_limit_is_a_timeout(desk):
    desk.write_grid(measure=SLOW)
    desk.submit()
    desk.wait_for_steps()
    # A minute is the shortest limit to ask for, but an end can be set at once.
    desk.slurm("scontrol", "update", f"jobid={desk.job_ids()[0]}", "endtime=now+2")
    desk.wait_for("timeout")
    assert desk.rows()[0]["state"] == "TIMEOUT"


@pytest.mark.slow
def test_what_slurm_forgot_before_anyone_looked_is_told_by_sacct_or_the_log_or_is_lost(desk):
    desk.write_grid(gpus="[1, 2]", measure=SLOW)
    desk.slurm("scontrol", "update", "nodename=gpu[1-2]", "state=drain", "reason=test")
    desk.submit()
    desk.slurm("scancel", desk.job_ids()[0])
    desk.mend("gpu[1-2]")
    desk.wait_for_steps()
    desk.kill_worker(desk.job_ids()[-1])
    with settings(desk.cluster, "MinJobAge=2"):
        wait_until(lambda: not desk.slurm("squeue", "--states=all", "--noheader"))
        desk.wait_for(*(("error", "cancelled") if desk.cluster.accounting else ("error", "lost")))
    assert ("sacct" in {e["told_by"] for e in desk.events("ended")}) == desk.cluster.accounting


@on_one
def test_a_result_that_a_read_only_folder_refuses_is_an_error_and_stands_in_the_log(desk):
    desk.write_grid(measure=lasting(5))
    desk.submit()
    desk.wait_for_steps()
    (job,) = desk.job_ids()
    with mounted(desk.store, "ro"):
        wait_until(lambda: "JobState=FAILED" in desk.slurm("scontrol", "show", "job", job))
    desk.wait_for("error")
    assert "the result could not be written: Read-only file system" in desk.reason()
    save_from_log(desk)
    assert desk.outcomes() == ["ok"]
    assert desk.run("--grid", desk.grid).stdout.count("left out: has a result") == 1


def save_from_log(desk):
    """What docs/faults.md tells a person to do."""
    (submitted,) = desk.events("submitted")
    target = desk.store / f"{submitted['case_id']}.json"
    subprocess.run(
        f"sed -n 's/^mpbench-result: //p' {submitted['log']} > {target}", shell=True, check=True
    )


@on_one
def test_a_result_fits_on_a_disk_that_filled_while_it_was_measured(desk):
    with small_disk(
        desk,
        "steps: 10000, ci_half_width: 0, time_limit_s: 5",
        *("--set", "dim=2048", "--set", "batch_size=256"),
    ):
        desk.wait_for("ok")
        assert desk.measured()[0]["measurement"]["stopped_by"] == "time_limit"


@on_one
def test_a_result_that_a_full_disk_refuses_is_an_error_and_stands_in_the_log(desk):
    # More steps than the reserved space can hold.
    with small_disk(desk, "steps: 30000, ci_half_width: 0"):
        desk.wait_for("error")
        assert "the result could not be written: No space left on device" in desk.reason()
        (submitted,) = desk.events("submitted")
        (line,) = [
            t
            for t in Path(submitted["log"]).read_text().splitlines()
            if t.startswith("mpbench-result: ")
        ]
        assert json.loads(line.removeprefix("mpbench-result: "))["outcome"] == "ok"


@contextmanager
def small_disk(desk, limit, *arguments):
    """The results on a disk of 2 MB, with the logs elsewhere, that fills during the timed steps."""
    desk.store.mkdir(parents=True)
    with mounted(desk.store, "size=2m,mode=755"):
        (desk.folder / "logs").mkdir()
        (desk.store / "logs").symlink_to(desk.folder / "logs")
        desk.write_grid(
            gpus="[1]",
            depth="[1]",
            measure=f"measure: {{warmup_steps: 1, {limit}}}",
        )
        desk.submit(*arguments, **REAL)
        desk.wait_for_steps()
        subprocess.run(["dd", "if=/dev/zero", f"of={desk.store}/filler"], capture_output=True)
        yield


@contextmanager
def mounted(folder, options):
    """A tmpfs over the folder."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", folder], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


@on_one
def test_a_job_that_slurm_restarts_counts_its_attempts(desk):
    job = desk.submit_slow_job("--requeue")
    for said in (desk.store / "progress").iterdir():
        said.unlink()
    desk.slurm("scontrol", "requeue", job)
    # Slurm lets it wait for two minutes; a node refuses a job that it killed a moment ago.
    wait_until(lambda: "Reason=BeginTime" in desk.slurm("scontrol", "show", "job", job))
    desk.slurm("scontrol", "update", f"jobid={job}", "starttime=now+3")
    desk.wait_for_steps()
    assert "mpbench: attempt 2 of job" in Path(desk.events("submitted")[0]["log"]).read_text()
    desk.kill_worker(job)
    desk.wait_for("error")


@on_one
def test_submit_killed_between_two_submissions_forgets_none_and_doubles_none(desk):
    desk.write_grid(gpus="[1, 2, 3, 4]")
    with no_start(desk):
        for jobs in (1, 2):
            process = start_submit(desk)
            wait_until(lambda n=jobs: len(desk.queue()) >= n)
            process.kill()
            process.communicate()
        desk.submit()
        assert len(desk.queue()) == len(set(desk.queue())) == 4
        assert len(desk.rows()) == 4


@on_one
def test_slurmctld_down_during_a_submission_forgets_no_case_and_doubles_none(desk):
    desk.write_grid(gpus="[1]", depth="[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]")
    with no_start(desk):
        process = start_submit(desk)
        wait_until(desk.queue)
        desk.cluster.stop("slurmctld", by=signal.SIGKILL)
        _, stderr = process.communicate(timeout=PATIENCE_S)
        desk.cluster.start_controller()
        wait_until(desk.cluster.is_up)
        if process.returncode != 0:
            assert stderr.count("\n") == 1
        # A job that Slurm took and had not written down is lost, and runs again once that is sure.
        # The controller may have forgotten that no job shall start, so some may have ended.
        wait_until(lambda: desk.submit() and has_all(desk, 15))
        assert len(desk.rows()) == 15


def has_all(desk, count):
    """True if so many cases have a job or their result; no case has two jobs meanwhile."""
    queued = desk.queue()
    assert len(queued) == len(set(queued))
    ended = {row["case"] for row in desk.rows() if row["outcome"] == "ok"}
    return len({*queued, *ended}) == count


def start_submit(desk):
    return subprocess.Popen(
        desk.command("--grid", desk.grid), cwd=ROOT, env=desk.environment,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


@contextmanager
def no_start(desk):
    """New jobs stay pending."""
    desk.slurm("scontrol", "update", "partitionname=gpu", "state=down")
    try:
        yield
    finally:
        desk.slurm("scontrol", "update", "partitionname=gpu", "state=up")


@on_one
def test_two_submits_at_once_double_no_case(desk):
    desk.write_grid(gpus="[1, 2, 3, 4, 5]")
    with no_start(desk):
        both = [start_submit(desk), start_submit(desk)]
        codes = []
        for process in both:
            _, stderr = process.communicate(timeout=PATIENCE_S)
            codes.append(process.returncode)
            assert process.returncode == 0 or "another submit.py is at work here" in stderr
        assert 0 in codes
        assert len(desk.queue()) == len(set(desk.queue())) == 5


@on_one
def test_a_job_without_a_ledger_entry_is_adopted(desk):
    with no_start(desk):
        desk.submit()
        (case,) = desk.queue()
        (desk.store / "submissions.jsonl").unlink()
        again = desk.submit()
        assert "0 to run, 1 left out" in again.stdout
        assert desk.queue() == [case]
        assert [event["case_id"] for event in desk.events("submitted")] == [case]


@on_one
def test_a_broken_ledger_is_rebuilt_and_said_so(desk):
    desk.write_grid(gpus="[1, 2]")
    with no_start(desk):
        desk.submit()
        ledger = desk.store / "submissions.jsonl"
        first, second = ledger.read_text().splitlines()
        ledger.write_text(first[: len(first) // 2] + "\n" + second + "\n")
        again = desk.submit()
        assert "0 to run, 2 left out" in again.stdout
        assert "lines that cannot be read: 1" in again.stderr
        assert again.stderr.count("\n") == 1
        assert len(desk.queue()) == 2
        assert desk.submit().stderr == ""


@on_one
def test_a_queued_job_whose_batch_is_gone_stops_a_submission(desk):
    with no_start(desk):
        desk.submit()
        (job,) = desk.job_ids()
        for path in (desk.store / "batches").iterdir():
            path.unlink()
        (desk.store / "submissions.jsonl").unlink()
        done = desk.run("--grid", desk.grid)
        assert done.returncode == 2
        assert f"scancel {job}" in done.stderr


def test_cancel_ends_the_jobs_of_the_grid_and_no_others(desk, tmp_path):
    desk.write_grid(gpus="[1, 2]")
    (tmp_path / "other").mkdir()
    other = Desk(desk.cluster, tmp_path / "other")
    others = ("--job-name=mp-d20-g1", "--output=/dev/null")
    with no_start(desk):
        desk.submit()
        other.submit()
        foreign = desk.slurm("sbatch", "--parsable", *others, "--wrap=true").strip()
        kept = desk.submit("--set", "gpus=3", "--set", "dim=8")
        assert kept.returncode == 0
        done = desk.run("--cancel", "--grid", desk.grid, "--set", "dim=16")
        assert done.stdout.startswith("cancelled: 2 ")
        desk.wait_for("cancelled", "cancelled", "–")
        assert len(other.queue()) == 1
        assert foreign in desk.slurm("squeue", "--noheader", "--format=%i").split()


@on_one
def test_a_submit_inside_of_a_job_asks_for_what_it_would_outside(desk, tmp_path):
    tampered = [f"{key}={value}" for key, value in stand_in().items()]
    script = " ".join(["env", *tampered, *desk.command("--grid", desk.grid)])
    options = ("--gres=gpu:3", "--mem=500M", "--ntasks=2", f"--chdir={ROOT}", "--wait")
    desk.slurm("sbatch", *options, f"--output={tmp_path}/outer.log", f"--wrap={script}")
    desk.wait_for("ok")
    assert desk.measured()[0]["job"]["allocated_gpus"] == 2
    assert desk.measured()[0]["job"]["slurm_job_id"] == desk.job_ids()[0]


def test_a_submit_limit_is_said_and_a_rerun_carries_on(desk):
    if not desk.cluster.accounting:
        pytest.skip("Slurm keeps such limits in its database")
    desk.write_grid(gpus="[1, 2, 3, 4]")
    limit = ("sacctmgr", "--immediate", "modify", "user", "root", "set")
    with no_start(desk):
        desk.slurm(*limit, "MaxSubmitJobs=2")
        stopped = desk.run("--grid", desk.grid)
        desk.slurm(*limit, "MaxSubmitJobs=-1")
        assert stopped.returncode == 1
        assert "2 of 4 cases are queued; run the same command again for the rest" in stopped.stderr
        assert "submit limit" in stopped.stderr
        assert len(desk.queue()) == 2
        desk.submit()
        assert len(desk.queue()) == len(set(desk.queue())) == 4


@on_one
def test_a_copy_of_a_results_folder_cancels_nothing_of_the_original(desk):
    with no_start(desk):
        desk.submit()
        shutil.copytree(desk.results, desk.folder / "copy")
        command = [*desk.command("--cancel", "--grid", desk.grid)[:-1], desk.folder / "copy"]
        done = subprocess.run(
            command, cwd=ROOT, env=desk.environment, capture_output=True, text=True
        )
        assert done.stdout == "cancelled: 0\n"
        assert len(desk.queue()) == 1


def test_jobs_are_seen_and_cancelled_where_their_batches_are_gone(desk):
    with no_start(desk):
        desk.submit()
        shutil.rmtree(desk.store / "batches")
        assert [row["state"] for row in desk.rows()] == ["PENDING"]
        assert desk.run("--cancel", "--grid", desk.grid).stdout.startswith("cancelled: 1 ")
        desk.wait_for("cancelled")


def test_a_large_array_is_cancelled_as_a_whole(desk):
    desk.write_grid(gpus="[1]", depth=str(list(range(1, 41))))
    with no_start(desk):
        desk.submit()
        assert desk.run("--cancel", "--grid", desk.grid).stdout.startswith("cancelled: 40 ")
        assert set(desk.outcomes()) == {"cancelled"}
        assert len(desk.outcomes()) == 40


@on_one
def test_leaving_the_watch_leaves_the_jobs_alone(desk):
    job = desk.submit_slow_job()
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        desk.command("--watch"), cwd=ROOT, env=desk.environment | {"TERM": "xterm"},
        stdout=subprocess.DEVNULL, stderr=theirs,
    )  # fmt: skip
    screen = read_until(ours, "Ctrl-C leaves; the jobs go on")
    assert "RUNNING" in screen
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=PATIENCE_S) == 1
    assert "Traceback" not in read_until(ours, "Interrupted")
    assert "RUNNING" in desk.slurm("squeue", "--noheader", f"--jobs={job}", "--format=%T")


@on_one
def test_the_watch_ends_when_everything_has_ended(desk):
    desk.submit()
    done = desk.run("--watch")
    assert done.returncode == 0
    assert [row["outcome"] for row in rows_of(done.stdout)] == ["ok"]


@on_one
def test_the_watch_retries_a_failed_node_by_itself(desk):
    desk.submit_slow_job()
    node = desk.rows()[0]["node"]
    command = desk.command("--watch", "--retries", "1", "--grid", desk.grid)
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env=desk.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    desk.slurm("scontrol", "update", f"nodename={node}", "state=down", "reason=test")
    wait_until(lambda: len(desk.job_ids()) == 2)
    desk.mend(node)
    desk.slurm("scancel", desk.job_ids()[1])
    assert process.wait(timeout=PATIENCE_S) == 1


def test_a_large_grid_is_an_array_for_each_gpu_count_and_each_element_a_job(desk):
    depths = list(range(4, 21))
    desk.write_grid(gpus="[1, 2]", depth=str(depths))
    with no_start(desk):
        done = desk.submit()
        assert "submitted array" in done.stdout
        assert "17 jobs with 2 GPUs each" in done.stdout
        arrays = {event["job_id"].partition("_")[0] for event in desk.events("submitted")}
        assert len(arrays) == 2
        rows = desk.rows()
        assert len({row["job id"] for row in rows}) == 34
        assert {row["state"] for row in rows} == {"PENDING"}
        assert "0 to run, 34 left out" in desk.submit().stdout
        ended = [e["job_id"] for e in desk.events("submitted") if e["case"]["depth"] != 5]
        desk.slurm("scancel", *ended)
    desk.wait_for(*["ok"] * 2, *["cancelled"] * 32)
    for result in desk.measured():
        job = result["job"]
        assert job["requested_gpus"] == job["allocated_gpus"] == result["case"]["gpus"]
    job_of = {event["case_id"]: event["job_id"] for event in desk.events("submitted")}
    assert all(job_of[r["case_id"]] == r["job"]["slurm_job_id"] for r in desk.measured())
