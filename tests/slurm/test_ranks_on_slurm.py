"""Cases with a process for each GPU on a real Slurm, over two nodes: what they give, how they fail.

Two GPUs on nodes of one are enough for a fault: rank 0 runs on gpu1, and rank 1 on gpu2.
"""

import os
import re
import signal
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cluster.cluster import PLAIN
from tests.slurm.desk import (
    SLOW,
    Desk,
    as_root,
    checkout,
    fault,
    sitting_at,
    wait_until,
    worker_pids,
)

pytestmark = as_root
GRID = """
table: schedules
axes: {depth: [%(gpus)d], gpus: [%(gpus)d]}
model: {dim: 16, batch_size: 32}
pipeline: {schedule: 1f1b, micro_batches: 16}
"""


@pytest.fixture
def desk(slurm, tmp_path):
    """A results folder of its own, for a case of two GPUs on nodes of one."""
    (tmp_path / "checkout").mkdir()
    root = checkout(tmp_path / "checkout", "one_each", gpus_per_node=1, cpus_per_task=1)
    with sitting_at(Desk(PLAIN, tmp_path, root=root, profile="one_each", real=True)) as desk:
        desk.grid.write_text(GRID % {"gpus": 2} + SLOW)
        yield desk


@contextmanager
def ends_wholly(desk):
    """The job ends, and leaves no process."""
    (job,) = desk.job_ids()
    yield
    wait_until(lambda: not desk.slurm("squeue", "--noheader") and not worker_pids(job))


@pytest.mark.slow
def test_processes_over_two_nodes_give_one_result(slurm, tmp_path):
    (tmp_path / "checkout").mkdir()
    root = checkout(tmp_path / "checkout", "two_each", gpus_per_node=2, cpus_per_task=1)
    with sitting_at(Desk(PLAIN, tmp_path, root=root, profile="two_each", real=True)) as desk:
        desk.grid.write_text(GRID % {"gpus": 4} + "measure: {warmup_steps: 0, steps: 3}")
        assert "1f1b, 16 micro-batches, balanced by layers" in desk.submit().stdout
        (job,) = desk.job_ids()
        shown = desk.slurm("scontrol", "show", "job", job)
        assert re.search(r"NumNodes=2(-2)? NumCPUs=4 NumTasks=4 ", shown)
        assert "TresPerNode=gres:gpu:2\n" in shown
        wait_until(lambda: not desk.queue())
        desk.wait_for("ok")
        (result,) = desk.measured()
        assert result["job"]["requested_gpus"] == result["job"]["allocated_gpus"] == 4
        assert [place["rank"] for place in result["environment"]["ranks"]] == list(range(4))
        assert worker_pids(job) == []
        assert len(list((desk.store / "logs").iterdir())) == 1


SHARED = """
axes: {schedule: [ddp, fsdp], gpus: [2]}
model: {depth: 2, dim: 16, batch_size: 32}
measure: {warmup_steps: 0, steps: 3}
"""


@pytest.mark.slow
def test_data_parallelism_over_two_nodes_gives_results(desk):
    """Gradients of every rank were checked against those of one piece before the steps."""
    desk.grid.write_text(SHARED)
    desk.submit()
    wait_until(lambda: not desk.queue())
    desk.wait_for("ok", "ok")
    found = {result["case"]["schedule"]: result for result in desk.measured()}
    assert sorted(found) == ["ddp", "fsdp"]
    for result in found.values():
        assert result["job"]["allocated_gpus"] == 2
        assert [place["rank"] for place in result["environment"]["ranks"]] == [0, 1]
        assert result["transfers"]["collectives"]


def test_more_nodes_than_the_cluster_has_are_refused_and_nothing_is_submitted(slurm, tmp_path):
    desk = Desk(PLAIN, tmp_path)
    desk.grid.write_text(GRID % {"gpus": 24})
    done = desk.run("--grid", desk.grid, "--set", "micro_batches=32")
    assert done.returncode == 2
    assert "Slurm refuses --gres=gpu:8 --nodes=3 --ntasks-per-node=8" in done.stderr
    assert done.stderr.count("\n") == 1
    assert not desk.results.exists()


def test_a_rank_killed_by_sigkill_is_named_in_the_result(desk):
    job = start(desk)
    with ends_wholly(desk):
        desk.kill_worker(job, rank=1)
    desk.wait_for("error")
    assert message(desk).startswith("rank 1 on ")
    assert "fell silent; it was killed, or its node went down" in message(desk)
    assert "srun: error: gpu2: task 1: Killed" in log(desk)


def start(desk):
    """Submit, and wait for the timed steps."""
    step = "mp.distributed.pipeline.PipelineStep.compute_gradients"
    desk.submit(**fault(f"import mp.distributed.pipeline\n{step} = idle({step})"))
    desk.wait_for_steps()
    return desk.job_ids()[0]


def message(desk):
    """What the one result says of its failure."""
    return desk.measured()[0]["error"]["message"]


def log(desk):
    """The one log."""
    return Path(desk.events("submitted")[0]["log"]).read_text()


def test_the_first_rank_killed_by_sigkill_is_an_error_and_ends_the_others(desk):
    job = start(desk)
    with ends_wholly(desk):
        desk.kill_worker(job, rank=0)
    desk.wait_for("error")
    assert re.search("task 0: Killed|rank 0: the first rank is gone", desk.reason())


@pytest.mark.slow
def test_a_first_rank_that_is_stopped_is_missed_and_ends_with_the_others(desk):
    job = start(desk)
    with ends_wholly(desk):  # srun waits 30 s for it, then Slurm's KillWait
        for pid in worker_pids(job, rank=0):
            os.kill(pid, signal.SIGSTOP)
    desk.wait_for("error")
    assert "rank 0: fell silent" in log(desk)


def test_a_rank_that_raises_is_named_with_its_words(desk):
    step = "mp.distributed.pipeline.PipelineStep"
    broken = f"if rank == '1': {step}.compute_gradients = broken(RuntimeError('no'))"
    desk.submit(**fault(f"import mp.distributed.pipeline\n{broken}"))
    with ends_wholly(desk):
        desk.wait_for("error")
    assert message(desk).startswith("rank 1 on ")
    assert message(desk).endswith(": no")
    assert "\n[rank 1] RuntimeError: no\n" in log(desk)  # the last line of its traceback


def test_a_rank_that_is_refused_memory_is_oom_host(desk):
    modules = "mp.benchmark, mp.distributed.engine, mp.single.engine"  # of what mp.run loads
    starved = f"import {modules}\nif rank == '1': starve(300_000_000)"
    desk.submit("--set", "dim=9000", **fault(starved))
    with ends_wholly(desk):
        desk.wait_for("oom_host")
    assert message(desk).startswith("rank 1 on ")
    assert "DefaultCPUAllocator" in message(desk)


def test_a_cancelled_job_with_many_processes_is_cancelled_and_no_error(desk):
    job = start(desk)
    with ends_wholly(desk):
        desk.slurm("scancel", job)
    desk.wait_for("cancelled")


def test_one_of_two_nodes_set_down_is_node_failed(desk):
    start(desk)
    with ends_wholly(desk):
        desk.slurm("scontrol", "update", "nodename=gpu2", "state=down", "reason=test")
        desk.wait_for("node_failed")


def test_a_node_that_dies_with_all_it_runs_is_missed_by_its_rank(desk):
    job = start(desk)
    try:
        desk.cluster.stop("slurmd.gpu2", by=signal.SIGKILL)
        for pid in worker_pids(job, rank=1):
            daemon = int(Path(f"/proc/{pid}/stat").read_text().split()[3])
            os.kill(daemon, signal.SIGKILL)  # first, so that nothing tells of the end
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not worker_pids(job))
        assert message(desk).startswith("rank 1 on ")
    finally:
        desk.cluster.start_node("gpu2")
    desk.wait_for("error")
