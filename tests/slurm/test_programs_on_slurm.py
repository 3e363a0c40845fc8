"""A grid of programs on a real Slurm: those that work, fail, talk nonsense, hang, have children."""

import subprocess
import sys

import pytest

from study.paths import ROOT
from tests.conftest import PATIENCE_S
from tests.slurm.desk import Desk, as_root, on_one, wait_until

pytestmark = as_root
PROGRAM = """
import json, os, subprocess, sys, time
mode, mark = sys.argv[1], sys.argv[2]
nap = [sys.executable, "-c", "import time; time.sleep(600)", mark]
print("slurmstepd: error: *** JOB 1 ON gpu1 CANCELLED AT 2030-01-01T00:00:00 ***")
if mode in ("children", "hang"):
    subprocess.Popen(nap, start_new_session=True)
if mode == "hang":
    time.sleep(600)
if mode == "fail" and not os.path.exists("mended"):
    raise ValueError("no such layer")
if mode == "nonsense":
    print('{"step_times_s": ["fast"]}')
elif mode != "wall":
    gpus, arguments = os.environ["MPBENCH_GPUS"], os.environ["MPBENCH_ARGS"]
    assert (gpus, json.loads(arguments)["mode"]) == ("2", mode)
    time.sleep(0.1)
    print(json.dumps({"step_times_s": [0.002] * 40, "items_per_step": 32, "item": "token"}))
"""
ARRAYS = "import jobs.slurm.submission as s; s.SMALL_GRID = 2"


def living(mark):
    found = subprocess.run(["pgrep", "-f", mark], capture_output=True, text=True, check=False)
    return found.stdout.split()


@pytest.fixture
def desk(cluster, tmp_path):
    """A folder with a program and its grid, submitted as an array."""
    (tmp_path / "arrays").mkdir()
    (tmp_path / "arrays/sitecustomize.py").write_text(ARRAYS)
    (tmp_path / "own").mkdir()
    (tmp_path / "own/prog.py").write_text(PROGRAM)
    path = f"{tmp_path / 'arrays'}:{ROOT}"
    desk = Desk(cluster, tmp_path, {"PYTHONPATH": path}, real=True)
    command = f"{sys.executable} prog.py {{mode}} mark-{tmp_path.name}"
    desk.grid.write_text(
        f"program: {{command: '{command}'}}\n"
        "axes: {gpus: [2], mode: [said, wall, fail, nonsense, children, hang]}\n"
    )
    return desk


def submit(desk, *arguments):
    """Run submit.py where the program is."""
    command = desk.command("--grid", desk.grid, *arguments, script=ROOT / "submit.py")
    done = subprocess.run(
        command, cwd=desk.folder / "own", env=desk.environment, capture_output=True, text=True,
        timeout=PATIENCE_S,
    )  # fmt: skip
    assert "Traceback" not in done.stderr, done.stderr
    return done


@on_one
def test_programs_end_as_every_case_does(desk):
    mark = f"mark-{desk.folder.name}"
    done = submit(desk)
    assert "submitted array" in done.stdout, done.stderr
    results = desk.store.glob
    wait_until(lambda: len(list(results("program-g2-*.json"))) == 5 and living(mark))
    # What is left is the one that hangs: its child, itself, and their guard.
    wait_until(lambda: 3 <= len(living(mark)) <= 4)
    assert submit(desk, "--cancel").returncode == 0
    desk.wait_for("ok", "ok", "ok", "error", "error", "cancelled")
    wait_until(lambda: living(mark) == [])

    by_mode = {dict(r["case"]["args"])["mode"]: r for r in desk.measured()}
    assert by_mode["said"]["program"]["step_times_s"] == [0.002] * 40
    assert by_mode["wall"]["program"]["told_by"] == "wall_time"
    assert "it said: ValueError: no such layer" in by_mode["fail"]["error"]["message"]
    assert "Expected float" in by_mode["nonsense"]["error"]["message"]
    assert by_mode["said"]["job"]["allocated_gpus"] == 2
    assert by_mode["said"]["emulated"] is True  # the private cluster pretends its GPUs

    (desk.folder / "own/mended").touch()
    done = submit(desk, "--only", "error")
    assert "2 to run" in done.stdout
    desk.wait_for("ok", "ok", "ok", "ok", "error", "cancelled")


@on_one
def test_a_program_that_could_not_run_is_refused_before_anything_is_written(desk):
    desk.grid.write_text("program: {command: 'p {layer}'}\naxes: {gpus: [2], layers: [1]}\n")
    done = submit(desk)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "{layer} is no argument; there are gpus, layers" in done.stderr
    desk.grid.write_text("program: {command: 'p'}\naxes: {gpus: [9]}\n")
    done = submit(desk)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "a program runs on one" in done.stderr
    assert not desk.store.exists()
