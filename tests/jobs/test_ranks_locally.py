"""submit.py without Slurm on a case with a process for each GPU."""

import os
import signal
from pathlib import Path

import pytest

from tests.conftest import PATIENCE_S
from tests.jobs.test_submit_locally import (
    MADE_UP,
    alive,
    events,
    lasting,
    pid_of,
    results_of,
    started,
    submit,
    wait_for_timing,
    wait_until,
)

pytestmark = pytest.mark.long


@pytest.fixture
def pipeline(tmp_path):
    """A pipeline of two processes."""
    path = tmp_path / "pipeline.yaml"
    path.write_text(
        "table: schedules\n"
        "axes: {depth: [4], gpus: [2]}\n"
        "model: {dim: 16, batch_size: 8}\n"
        "pipeline: {schedule: 1f1b, micro_batches: 4}\n"
        "measure: {warmup_steps: 1, steps: 3}\n"
    )
    return path


def test_a_case_in_processes_gives_one_result_whatever_the_shell_knows_of_ranks(
    run, pipeline, tmp_path
):
    done = submit(run, pipeline, tmp_path / "r", env=os.environ | {"RANK": "1", "WORLD_SIZE": "9"})
    assert done.returncode == 0, done.stderr
    assert "1f1b, 4 micro-batches, balanced by layers, float32" in done.stdout
    (result,) = results_of(tmp_path / "r").values()
    assert (result["outcome"], result["job"]["requested_gpus"]) == ("ok", 2)
    (log,) = (tmp_path / "r/local/logs").iterdir()
    assert log.read_text().count("mpbench: attempt 1") == 1


def test_a_first_process_that_is_killed_leaves_a_result_that_says_so(pipeline, tmp_path):
    pipeline.write_text(lasting(pipeline, 600))
    with started(pipeline, tmp_path / "r") as process:
        wait_for_timing(tmp_path / "r/local/logs")
        worker = pid_of(events(tmp_path / "r")[0])
        first, _ = Path(f"/proc/{worker}/task/{worker}/children").read_text().split()
        os.kill(int(first), signal.SIGKILL)
        assert process.wait(timeout=PATIENCE_S) == 1
    (result,) = results_of(tmp_path / "r").values()
    assert result["outcome"] == "error"
    assert result["error"]["message"].endswith(": ended by signal SIGKILL")
    assert result["job"]["requested_gpus"] == 2


def test_more_processes_than_the_machine_holds_are_refused_before_anything_runs(
    run, pipeline, tmp_path
):
    most = 32 * len(os.sched_getaffinity(0))
    keys = ["--set", f"gpus={most + 1}", "--set", f"depth={most + 1}"]
    keys += ["--set", f"batch_size={most + 1}", "--set", f"micro_batches={most + 1}"]
    done = submit(run, pipeline, tmp_path / "r", *keys)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"error: gpus: {most + 1} processes are too many; ")
    assert not (tmp_path / "r").exists()


def test_no_process_outlives_a_killed_submit(pipeline, tmp_path):
    pipeline.write_text(lasting(pipeline, 600))
    with started(pipeline, tmp_path / "r", env=MADE_UP) as process:
        wait_for_timing(tmp_path / "r/local/logs")
        worker = pid_of(events(tmp_path / "r")[0])
        children = Path(f"/proc/{worker}/task/{worker}/children").read_text().split()
        process.kill()
    assert len(children) == 2
    wait_until(lambda: not any(alive(int(pid)) for pid in [worker, *children]))
