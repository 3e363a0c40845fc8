"""Submit and wait in one command, and measurements that survive a second one, on a real Slurm."""

import re

import pytest

from tests.slurm.desk import Desk, as_root, checkout, fault, lasting, on_one, sitting_at, wait_until

pytestmark = [*as_root, on_one]


def test_one_command_submits_waits_and_ends_with_the_line_that_makes_the_table(desk):
    done = desk.run("--grid", desk.grid, "--set", "depth=6", "--watch")
    assert done.returncode == 0
    *_, last = done.stdout.splitlines()
    line = (
        f"python collect.py --grid {desk.grid} --set depth=6 --results {desk.results} > tables.md"
    )
    assert last == f"Tables:  {line}"
    assert "left out: has a result" in desk.submit("--set", "depth=6").stdout


def test_the_end_of_a_failed_cases_log_and_the_command_that_runs_it_again_are_shown(desk):
    broken = fault("mp.model.LargeLinearModelMP.forward = broken(RuntimeError('no'))")
    done = desk.run("--grid", desk.grid, "--watch", **broken)
    assert done.returncode == 1
    assert "    RuntimeError: no\n" in done.stdout
    (command,) = re.findall("run again what failed:  python (.*)", done.stdout)
    assert command.endswith("--only error --watch")
    again = desk.run(*command.split()[1:])
    assert again.returncode == 0, again.stdout
    assert desk.outcomes() == ["ok"]


def test_a_measurement_counts_until_a_new_one_is_there(desk):
    before = measure(desk)
    desk.slurm("scontrol", "update", "partitionname=gpu", "state=down")
    try:
        desk.submit("--force")
        assert desk.measured() == [before]
        assert desk.run("--cancel", "--grid", desk.grid).stdout.startswith("cancelled: 1 ")
        assert desk.measured() == [before]
    finally:
        desk.slurm("scontrol", "update", "partitionname=gpu", "state=up")
    status = desk.run("--status")
    assert "its earlier result still counts" in status.stdout
    assert "left out: has a result" in desk.submit().stdout
    assert "| 2 (emulated)" in desk.table()


def test_a_failure_does_not_replace_a_measurement_and_a_new_measurement_does(desk):
    before = measure(desk)
    broken = fault("mp.model.LargeLinearModelMP.forward = broken(RuntimeError('no'))")
    desk.submit("--force", **broken)
    desk.wait_for("error")
    wait_until(lambda: not desk.queue())
    assert desk.measured() == [before]
    assert "error: no; its earlier result still counts" in desk.run("--status").stdout
    assert desk.reason() == "no"
    after = measure(desk, "--force")
    assert after["job"]["submitted_at"] > before["job"]["submitted_at"]
    assert len(list((desk.store / "replaced").iterdir())) == 1


def measure(desk, *arguments):
    """Measure the one case, until its job has ended; its result."""
    desk.submit(*arguments)
    desk.wait_for("ok")
    wait_until(lambda: not desk.queue())
    (result,) = desk.measured()
    return result


@pytest.mark.parametrize("depth", ["[4, 5, 6, 7, 8]", str(list(range(2, 19)))])
def test_no_more_jobs_run_at_a_time_than_the_profile_allows_whatever_they_look_like(
    cluster, tmp_path, depth
):
    root = checkout(tmp_path / "checkout", "narrow", keys={"max_parallel": 2})
    with sitting_at(Desk(cluster, tmp_path, root=root, profile="narrow")) as desk:
        desk.write_grid(gpus="[1, 2]", depth=depth, measure=lasting(600))
        desk.submit()
        wait_until(lambda: len(states(desk, "RUNNING")) == 2)
        (first, _) = states(desk, "RUNNING")
        desk.slurm("scancel", first)
        wait_until(lambda: first not in states(desk, "RUNNING") and len(states(desk, "RUNNING")))
        assert len(states(desk, "RUNNING")) <= 2
        assert "JOB1" not in desk.run("--grid", desk.grid, "--dry-run").stdout


def states(desk, state):
    """The ids of the jobs in this state."""
    return desk.slurm("squeue", "--array", "--noheader", f"--states={state}", "--format=%i").split()


def test_nothing_that_the_shell_sets_for_slurm_changes_a_job_and_it_is_said(desk):
    shell = {
        "SBATCH_ARRAY_INX": "0-2",
        "SBATCH_CPUS_PER_GPU": "7",
        "SBATCH_DISTRIBUTION": "cyclic",
        "SBATCH_GPUS_PER_SOCKET": "4",
        "SBATCH_GRES": "gpu:3",
        "SBATCH_INPUT": "/nonexistent",
        "SBATCH_MEM_PER_GPU": "1",
        "SBATCH_THREADS_PER_CORE": "2",
        "SBATCH_TIMELIMIT": "50",
        "SBATCH_WHATEVER_COMES": "1",
        "SLURM_HINT": "nomultithread",
        "SRUN_CPUS_PER_TASK": "5",
    }
    desk.slurm("scontrol", "update", "partitionname=gpu", "state=down")
    try:
        desk.submit("--set", "depth=4")
        plain = what_the_newest_job_asks_for(desk)
        other = desk.submit("--set", "depth=5", **shell, LOGNAME="x")
        assert "note: left out of jobs: SBATCH_ARRAY_INX, SBATCH_CPUS_PER_GPU" in other.stderr
        assert what_the_newest_job_asks_for(desk) == plain
        assert desk.outcomes() == ["–", "–"]
    finally:
        desk.slurm("scontrol", "update", "partitionname=gpu", "state=up")
    desk.wait_for("ok", "ok")


def what_the_newest_job_asks_for(desk):
    """What Slurm says of it, without what differs between any two jobs."""
    text = desk.slurm("scontrol", "--oneliner", "show", "job", desk.job_ids()[-1])
    own = ("JobId", "JobName", "Priority", "Submit", "Eligible", "Accrue", "LastSched", "Start")
    own += ("End", "Command", "Comment", "StdErr", "StdOut", "AllocNode")
    return [word for word in text.split() if "=" in word and not word.startswith(own)]
