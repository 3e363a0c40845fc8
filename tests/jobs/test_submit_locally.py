"""submit.py without Slurm, as a person runs it."""

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from jobs.local import gpus
from jobs.local.gpus import why_no_gpu
from study.paths import ROOT
from tests.conftest import PATIENCE_S
from tests.slurm.desk import stand_in

pytestmark = pytest.mark.long
# Jobs that measure nothing, for what is seen without: a tenth of the time.
MADE_UP = os.environ | stand_in()


def lasting(grid, seconds):
    """The grid's text with timed steps that go on for as long, however steady they are."""
    limits = f"steps: 1000000, ci_half_width: 0, time_limit_s: {seconds}"
    return grid.read_text().replace("steps: 3", limits)


def results_of(folder):
    return {path: json.loads(path.read_text()) for path in folder.glob("local/*.json")}


@contextmanager
def started(grid, results, *more, env=None):
    """submit.py at work, to be disturbed; killed at the end if it is still there."""
    command = [sys.executable, "submit.py", "--grid", str(grid), "--cluster", "local", *more]
    process = subprocess.Popen(
        [*command, "--results", str(results)],
        cwd=ROOT, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def submit(run, grid, results, *more, **options):
    arguments = ("--grid", grid, "--results", results, "--cluster", "local", *more)
    return run("submit.py", *arguments, **options)


def test_a_grid_runs_and_a_second_time_leaves_nothing_to_do(run, small_grid, tmp_path):
    first = submit(run, small_grid, tmp_path / "r")
    assert first.returncode == 0, first.stderr
    results = results_of(tmp_path / "r")
    assert sorted(r["case"]["gpus"] for r in results.values()) == [2, 5]
    assert all(r["outcome"] == "ok" and r["job"]["executor"] == "local" for r in results.values())
    second = submit(run, small_grid, tmp_path / "r")
    assert second.stdout.count("left out: has a result") == 2
    assert results_of(tmp_path / "r") == results


def test_force_runs_again_and_keeps_the_old_result(run, small_grid, tmp_path):
    one = ("--set", "gpus=2")
    submit(run, small_grid, tmp_path / "r", *one, env=MADE_UP)
    before = {p.name: r["job"]["started_at"] for p, r in results_of(tmp_path / "r").items()}
    assert submit(run, small_grid, tmp_path / "r", *one, "--force", env=MADE_UP).returncode == 0
    after = {p.name: r["job"]["started_at"] for p, r in results_of(tmp_path / "r").items()}
    kept = [json.loads(p.read_text()) for p in (tmp_path / "r/local/replaced").iterdir()]
    assert before.keys() == after.keys()
    assert all(after[name] > before[name] for name in before)
    assert sorted(r["job"]["started_at"] for r in kept) == sorted(before.values())


def test_a_failed_case_is_a_result_and_exit_code_1_now_and_later(run, small_grid, tmp_path):
    too_large = ("--set", "dim=1000000", "--set", "gpus=2")
    first = submit(run, small_grid, tmp_path / "r", *too_large)
    (result,) = results_of(tmp_path / "r").values()
    failed = result["outcome"]
    assert (first.returncode, failed) == (
        1,
        "oom_gpu" if result["environment"]["gpus"] else "oom_host",
    )
    second = submit(run, small_grid, tmp_path / "r", *too_large)
    assert second.returncode == 1
    assert f"has failed ({failed}); --only {failed} or --force runs it again" in second.stdout


@pytest.mark.parametrize(
    ("setting", "needs"),
    [("dtype=tf32", "dtype: tf32"), ("execution=cuda_graph", "execution: cuda_graph")],
)
@pytest.mark.skipif(why_no_gpu() is None, reason="this machine may have a GPU")
def test_what_needs_a_gpu_is_refused_where_there_is_none(run, small_grid, tmp_path, setting, needs):
    small_grid.write_text(small_grid.read_text().replace("gpus: [2, 5]", "gpus: [1]"))
    done = submit(run, small_grid, tmp_path / "r", "--set", setting)
    assert done.returncode == 2
    assert f"{needs} needs a real GPU, and " in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "r").exists()


@pytest.mark.parametrize("device", ["nvidia0", "nvidia7", "dxg", "kfd", "nvhost-gpu"])
def test_a_machine_with_a_gpus_file_may_have_one(tmp_path, monkeypatch, device):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(gpus, "version", lambda name: "2.13.0+cu130")
    (tmp_path / "nvidiactl").touch()
    assert why_no_gpu(tmp_path) == "this machine has none"
    (tmp_path / device).touch()
    assert why_no_gpu(tmp_path) is None
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert "hides" in why_no_gpu(tmp_path)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    monkeypatch.setattr(gpus, "version", lambda name: "2.13.0+cpu")
    assert "without CUDA" in why_no_gpu(tmp_path)


def test_progress_names_the_case_on_stderr_and_stdout_stays_plain(run, small_grid, tmp_path):
    done = submit(run, small_grid, tmp_path / "r", "--set", "gpus=2", env=MADE_UP)
    assert "d20-g2-" in done.stderr
    assert "emulated" in done.stderr
    assert "\x1b" not in done.stdout


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_ends_cleanly_and_keeps_what_is_finished(small_grid, tmp_path, number):
    slow = lasting(small_grid, 600)
    small_grid.write_text(slow.replace("gpus: [2, 5]", "gpus: [1, 2]"))
    with started(small_grid, tmp_path / "r") as process:
        log = wait_for_timing(tmp_path / "r/local/logs")
        process.send_signal(number)
        _, stderr = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 1
    assert "Traceback" not in stderr + log.read_text()
    noted = events(tmp_path / "r")
    assert [event["event"] for event in noted] == ["submitted", "ended"]
    assert noted[1]["reason"] == "interrupted"
    assert not alive(pid_of(noted[0]))


def wait_for_timing(logs):
    def timing():
        return [log for log in logs.glob("*.log") if "timing" in log.read_text()]

    wait_until(timing)
    return timing()[0]


def wait_until(condition):
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "what the test waits for never came"
        time.sleep(0.05)


def events(results):
    lines = (results / "local/submissions.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def _submissions(results):
    return [event["event"] for event in events(results)].count("submitted")


def pid_of(event):
    return int(event["job_id"].rpartition(":")[2])


def alive(pid):
    """Whether the process still runs; one that only waits to be reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except OSError:
        return False


def test_a_case_whose_process_is_killed_is_noted_and_the_next_one_runs(small_grid, tmp_path):
    with started(small_grid, tmp_path / "r") as process:
        # At once: torch takes seconds to be loaded, so the case is far from its end.
        wait_until(lambda: (tmp_path / "r/local/submissions.jsonl").exists())
        wait_until(lambda: events(tmp_path / "r"))
        os.kill(pid_of(events(tmp_path / "r")[0]), signal.SIGKILL)
        _, stderr = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 1
    assert "no result: its process ended by signal SIGKILL" in " ".join(stderr.split())
    assert [r["case"]["gpus"] for r in results_of(tmp_path / "r").values()] == [5]
    assert "signal SIGKILL" in (tmp_path / "r/local/submissions.jsonl").read_text()


def test_an_interrupted_second_run_leaves_the_first_result_in_place(run, small_grid, tmp_path):
    submit(run, small_grid, tmp_path / "r", "--set", "gpus=2", env=MADE_UP)
    before = results_of(tmp_path / "r")
    with started(small_grid, tmp_path / "r", "--set", "gpus=2", "--force") as process:
        wait_until(lambda: _submissions(tmp_path / "r") == 2)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=PATIENCE_S)
    assert results_of(tmp_path / "r") == before


def test_a_case_does_not_outlive_a_killed_submit(small_grid, tmp_path):
    slow = lasting(small_grid, 600)
    small_grid.write_text(slow)
    with started(small_grid, tmp_path / "r", env=MADE_UP) as process:
        wait_for_timing(tmp_path / "r/local/logs")
        process.kill()
    worker = pid_of(events(tmp_path / "r")[0])
    wait_until(lambda: not alive(worker))


def test_two_at_once_in_one_folder_are_refused(small_grid, run, tmp_path):
    (tmp_path / "r/local").mkdir(parents=True)
    with (tmp_path / "r/local/.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        done = submit(run, small_grid, tmp_path / "r")
    assert done.returncode == 2
    assert "another submit.py is at work here" in done.stderr


def test_the_status_of_local_cases_knows_what_was_measured_killed_and_never_started(
    run, small_grid, tmp_path
):
    submit(run, small_grid, tmp_path / "r", "--set", "gpus=2", env=MADE_UP)
    (tmp_path / "slow.yaml").write_text(lasting(small_grid, 600))
    slow = (tmp_path / "slow.yaml", tmp_path / "r", "--set", "gpus=5")
    with started(*slow, env=MADE_UP) as process:
        wait_until(lambda: _submissions(tmp_path / "r") == 2)
        before = run("submit.py", "--status", "--results", tmp_path / "r")
        process.kill()
    submitted = [e for e in events(tmp_path / "r") if e["event"] == "submitted"]
    wait_until(lambda: not alive(pid_of(submitted[-1])))
    assert "1 RUNNING, 1 ok" in before.stdout
    ascii_only = dict(os.environ) | {"PYTHONIOENCODING": "ascii"}
    after = run("submit.py", "--status", "--results", tmp_path / "r", env=ascii_only)
    assert after.returncode == 1
    assert "1 lost, 1 ok" in after.stdout
    missing = run("submit.py", "--status", "--grid", "smoke", "--results", tmp_path / "r")
    assert "not submitted: " in missing.stdout


def test_a_status_of_nothing_says_where_it_looked(run, tmp_path):
    done = run("submit.py", "--status", "--results", tmp_path)
    assert f"Nothing of this was submitted into {tmp_path}." in done.stdout


@pytest.mark.parametrize("action", ["--status", "--watch", "--cancel"])
def test_a_results_folder_that_does_not_exist_is_refused(run, tmp_path, action):
    grid = ("--grid", "task4") if action == "--cancel" else ()
    done = run("submit.py", action, *grid, "--results", tmp_path / "typo")
    assert done.returncode == 2
    assert done.stderr == (
        f"error: --results: {tmp_path}/typo does not exist; name a folder of results\n"
    )
    assert done.stdout == ""


@pytest.mark.parametrize("command", [("submit.py", "--status"), ("collect.py",)])
def test_before_anything_was_submitted_the_first_step_is_named(run, tmp_path, command):
    entry, *action = command
    code = (
        f"import os, runpy, sys; sys.path.insert(0, {str(ROOT)!r}); os.chdir({str(tmp_path)!r}); "
        f"sys.argv = [{entry!r}, *{action!r}]; "
        f"runpy.run_path({str(ROOT / entry)!r}, run_name='__main__')"
    )
    done = run("-c", code)
    assert done.returncode == 2
    assert done.stderr == (
        f"error: --results: results does not exist in {tmp_path}: nothing was submitted from here "
        "yet; run submit.py first, or name a folder of results\n"
    )


def test_a_pipe_in_the_place_of_a_result_or_ledger_hangs_nobody(run, small_grid, tmp_path):
    submit(run, small_grid, tmp_path / "r", "--set", "gpus=2", env=MADE_UP)
    (path,) = results_of(tmp_path / "r")
    path.unlink()
    os.mkfifo(path)
    done = submit(run, small_grid, tmp_path / "r", "--set", "gpus=2")
    assert "is no regular file; --force replaces it" in done.stdout
    assert run("collect.py", "--results", tmp_path / "r").returncode == 1
    (tmp_path / "r/local/submissions.jsonl").unlink()
    os.mkfifo(tmp_path / "r/local/submissions.jsonl")
    refused = submit(run, small_grid, tmp_path / "r")
    assert refused.returncode == 2
    assert "submissions.jsonl: is no regular file" in refused.stderr


def test_cuda_visible_devices_reaches_the_case_as_it_is(run, small_grid, tmp_path):
    env = dict(os.environ) | {"CUDA_VISIBLE_DEVICES": ""}
    submit(run, small_grid, tmp_path / "r", "--set", "gpus=2", env=env)
    (result,) = results_of(tmp_path / "r").values()
    assert result["job"]["visible_gpus"] == 0


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (
            ["--grid", "task9"],
            "error: --grid: 'task9' is neither a file nor one of: gpt,",
        ),
        (["--grid", "task4", "--set", "depth=six"], "error: --set: depth: 'six' is not a whole"),
        (["--grid", "task4", "--set", "depth=0"], "error: --set: depth: 0 is not a whole"),
        (["--grid", "task4", "--set", "gpus=-1"], "error: --set: gpus: -1 is not a whole"),
        (["--grid", "task4", "--set", "gpus=2.5"], "error: --set: gpus: '2.5' is not a whole"),
        (["--grid", "task4", "--set", "depht=8"], "unknown key 'depht'; known keys: depth, gpus"),
        (["--grid", "task4", "--set", "depth"], "error: --set: 'depth' is not KEY=VALUE"),
        (["--grid", "task1", "--set", "gpus=5"], "gpus: 5 with split: half, which takes exactly 2"),
        (["--grid", "task4", "--set", "depth=3"], "gpus: 5 for 3 layers"),
        (["--grid", "task4", "--cluster", "nowhere"], "error: --cluster: 'nowhere' is not in"),
        (["--status", "--cluster", "nowhere"], "error: --cluster: 'nowhere' is no profile"),
        (["--grid", "task4", "--only", "broken"], "error: --only: 'broken' is no outcome; use one"),
        (["--grid", "task4", "--only", ""], "error: --only: '' is no outcome"),
        (["--grid", "task4", "--retries", "-1"], "error: --retries: -1 is below 0"),
        (["--grid", "task4", "--retries", "two"], "argument --retries: invalid int value: 'two'"),
        (["--grid", "task4", "--force", "--only", "error"], "error: --only: contradicts --force"),
        (["--grid", "task4", "--max-gpu-hours", "0"], "error: --max-gpu-hours: 0 is not above 0"),
        (["--grid", "task4", "--max-gpu-hours", "nan"], "error: --max-gpu-hours: nan is not above"),
        (["--grid", "task4", "--max-gpu-hours", "1"], "has no time limit, so nothing bounds"),
        (["--grid", "task4", "--requeue"], "error: --requeue: "),
        (["--grid", "task4", "--status", "--watch"], "not allowed with argument --status"),
        (["--status", "--force"], "error: --force: has no effect with --status; remove it"),
        (["--watch", "--retries", "1", "--only", "error"], "error: --only: has no effect with"),
        (["--cancel"], "error: --grid: missing; name one or more of: gpt, homework"),
        ([], "error: --grid: missing; name one or more of: gpt, homework"),
    ],
)
def test_bad_input_is_one_line_and_writes_nothing(run, tmp_path, arguments, complaint):
    more = [] if "--cluster" in arguments else ["--cluster", "local"]
    done = run("submit.py", *arguments, *more, "--results", tmp_path / "r")
    assert done.returncode == 2
    assert complaint in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "r").exists()


def test_a_results_folder_that_cannot_be_written_is_refused_before_anything_runs(run, tmp_path):
    (tmp_path / "file").write_text("")
    done = run("submit.py", "--grid", "smoke", "--cluster", "local", "--results", tmp_path / "file")
    assert done.returncode == 2
    assert "cannot be written" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_dry_run_shows_the_scripts_without_slurm_and_writes_nothing(run, tmp_path):
    env = {"PATH": str(tmp_path), "HOME": str(tmp_path)}
    arguments = ("--grid", "task4", "--cluster", "slurm", "--results", tmp_path / "r", "--dry-run")
    done = run("submit.py", *arguments, env=env)
    assert done.returncode == 0, done.stderr
    assert "#SBATCH --gpus-per-node=2\n" in done.stdout
    assert "#SBATCH --gpus-per-node=5\n" in done.stdout
    assert "#SBATCH --job-name=mp-d20-g5\n" in done.stdout
    assert "wckey" not in done.stdout
    assert "At most 3.50 GPU-hours" in done.stdout
    assert not (tmp_path / "r").exists()


def test_without_sbatch_the_automatic_choice_is_local(run, tmp_path):
    env = {"PATH": str(tmp_path), "HOME": str(tmp_path)}
    done = run("submit.py", "--grid", "task4", "--dry-run", env=env)
    assert "Plan for profile local" in done.stdout


@pytest.mark.parametrize("entry", ["submit.py", "collect.py"])
def test_help_needs_no_torch(run, entry):
    done = run("-X", "importtime", entry, "--help")
    assert done.returncode == 0
    assert "torch" not in done.stderr
