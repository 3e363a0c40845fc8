"""`python -m mp`: one case by hand, JSON on stdout."""

import json
import os
import re
import stat
import subprocess
import sys

import pytest

from study.command_line.case_options import MEANINGS, NOT_OPTIONS, flag
from study.values.keys import DEFAULTS, KEYS
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
    last = done.stderr.splitlines()[-1]
    assert re.fullmatch(
        r"depth 20 on 5 GPUs \(emulated on the CPU\): \S+ (s|ms|µs) a step "
        r"\(too few steps for an interval\), 3 steps, interval wider than ±0.5 %",
        last,
    )


def test_an_option_of_the_wrong_type_is_one_line_and_exit_code_2():
    done = run("--depth", "six", "--gpus", "2")
    assert done.returncode == 2
    assert done.stderr == "error: --depth 'six' is not a whole number from 1 to 100000\n"
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ("", "--depth and --gpus are missing; write e.g. python -m mp --depth 20 --gpus 5"),
        ("--depth 6", "--gpus is missing; write e.g. python -m mp --depth 20 --gpus 5"),
        ("--depth 6 --gpus 3 --split half",
         "--gpus 3 with --split half, which takes exactly 2; use --split even"),
        ("--depth 6 --gpus 2 --schedule 1f1b --micro-batches 3",
         "--micro-batches 3 with --schedule 1f1b, 2 GPUs and --batch-size 64; "
         "use 2, 4, 8, 16, 32, 64"),
        ("--depth 6 --gpus 2 --time-limit-s 0",
         "--time-limit-s 0.0 is not a number of seconds above 0, at most 604800"),
    ],
)  # fmt: skip
def test_an_error_has_the_names_of_the_options(options, error):
    done = run(*options.split())
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"error: {error}\n"


def test_help_has_the_default_of_every_option_and_says_which_are_needed():
    done = run("--help")
    text = " ".join(done.stdout.split())
    assert set(MEANINGS) == set(KEYS) - set(NOT_OPTIONS)
    for key in MEANINGS:
        default = DEFAULTS[key]
        described = text.split(f" {flag(key)} ")[-1].split(" --")[0]
        assert MEANINGS[key] in described
        assert default is None or f"default {default}" in described
    needed = text.split("needed: ")[1].split("the case: ")[0]
    assert re.findall("--[a-z-]+", needed) == ["--depth", "--gpus"]


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
    assert "the steps of a CUDA graph cannot be traced" in done.stderr
