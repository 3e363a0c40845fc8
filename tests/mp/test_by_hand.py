"""`python -m mp`: one case by hand, JSON on stdout."""

import json
import os
import stat
import subprocess
import sys

import pytest

from tests.conftest import PATIENCE_S

pytestmark = pytest.mark.long


def run(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "mp", *arguments], capture_output=True, text=True, timeout=PATIENCE_S
    )


def test_one_case_prints_its_result():
    limits = ("--warmup-steps", "1", "--steps", "3")
    done = run("--depth", "20", "--gpus", "5", "--dim", "16", "--device", "cpu", *limits)
    result = json.loads(done.stdout)
    assert done.returncode == 0
    assert result["transfers"]["moves_forward"] == 4
    assert result["emulated"] is True


def test_an_option_of_the_wrong_type_is_one_line_and_exit_code_2():
    done = run("--depth", "six", "--gpus", "2")
    assert done.returncode == 2
    assert done.stderr == "error: --depth: depth: 'six' is not a whole number from 1 to 100000\n"
    assert done.stdout == ""


@pytest.mark.parametrize("name", ["folder", "pipe", "missing/trace.json", "x" * 256])
def test_a_trace_that_could_not_be_written_is_refused_before_anything_runs(tmp_path, name):
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    done = run("--depth", "2", "--gpus", "2", "--dim", "8", "--trace", str(tmp_path / name))
    assert done.returncode == 2
    assert done.stderr.startswith("error: --trace: ")
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)


def test_a_graph_has_no_trace():
    done = run("--depth", "2", "--gpus", "1", "--execution", "cuda_graph", "--trace", "t.json")
    assert done.returncode == 2
    assert "a CUDA graph has no instrumented steps" in done.stderr
