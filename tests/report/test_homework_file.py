"""The file `homework.py` that is handed in: made of the benchmark's sources, and it runs alone."""

import ast
import os
import subprocess
import sys

import pytest

from report.hand_in.source import make_homework
from study.paths import ROOT
from tests.homework_file import CONSTANTS, read_output, run_benchmark, run_homework

pytestmark = pytest.mark.long


@pytest.fixture(autouse=True)
def without_gpus(monkeypatch):
    """Let torch see no GPU, also where there are some."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")


def source(path, name):
    """The text of a function, method or class of a file."""
    text = (ROOT / path).read_text()
    found = (node for node in ast.walk(ast.parse(text)) if getattr(node, "name", "") == name)
    return ast.get_source_segment(text, next(found))


def test_the_model_and_the_rule_are_the_benchmarks_word_for_word():
    text = make_homework(CONSTANTS)
    assert source("mp/model.py", "LargeLinearModelMP") in text
    assert source("mp/placement.py", "layer_map") in text
    assert source("mp/placement.py", "gpu_of_layer") in text
    assert "balanced_map" not in text
    assert "torch.cuda.synchronize(device)" in text


def test_its_constants_are_those_that_were_measured():
    lines = make_homework(CONSTANTS | {"DIM": 512, "SEED": 7}).splitlines()
    assert "DIM = 512  # features of every layer's input and output" in lines
    assert "DEPTH = 6  # layers" in lines
    assert "SEED = 7" in lines


def test_it_is_formatted_and_has_no_unused_import(tmp_path):
    path = tmp_path / "homework.py"
    path.write_text(make_homework(CONSTANTS))
    for command in (("check",), ("format", "--check")):
        config = ("--config", ROOT / "pyproject.toml")
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *command, *config, path], capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(("gpus", "split", "depth"), [(3, "even", 20), (2, "half", 7)])
def test_it_has_the_layer_map_and_the_first_loss_of_the_benchmark(tmp_path, gpus, split, depth):
    sizes = ("--depth", depth, "--gpus", gpus, "--split", split, "--dim", 32, "--batch-size", 8,
             "--seed", 3, "--steps", 3)  # fmt: skip
    done = run_homework(tmp_path, *sizes)
    assert (done.returncode, done.stderr) == (0, "")
    seen = read_output(done.stdout)
    result = run_benchmark(*sizes, "--device", "cpu")
    assert seen["places"] == result["placement"]["gpu_of_layer"]
    assert seen["moved_before"] == result["transfers"]["moved_before_layers"]
    assert seen["calls"] == result["transfers"]["to_calls_per_forward"]
    assert seen["first_loss"] == pytest.approx(result["measurement"]["first_loss"], rel=1e-5)


def test_without_a_gpu_it_runs_and_says_that_nothing_moved(tmp_path):
    done = run_homework(tmp_path, "--steps", 3)
    seen = read_output(done.stdout)
    assert done.stdout.startswith("note: fewer than 2 GPUs here; all layers share cpu\n")
    assert seen["devices"] == ["cpu"] * CONSTANTS["DEPTH"]
    assert (seen["calls"], seen["moves"]) == (6, 0)
    assert "on separate GPUs data would move before layer: 3" in done.stdout
    assert seen["step_ms"] > 0
    assert "peak memory: unknown without a GPU" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--gpus", "9"), "error: 9 GPUs are more than the 6 layers to spread over them"),
        (("--gpus", "3", "--split", "half"), "error: split 'half' takes exactly 2 GPUs, not 3"),
        (("--depth", "0"), "homework.py: error: --depth: 0 is below 1"),
    ],
)
def test_sizes_that_cannot_be_are_one_line(tmp_path, arguments, complaint):
    done = run_homework(tmp_path, *arguments)
    assert done.returncode != 0
    assert done.stderr.splitlines()[-1] == complaint
    assert "Traceback" not in done.stderr


def test_the_benchmarks_own_script_is_the_same_program():
    command = [sys.executable, "-m", "mp.homework", "--dim", "16", "--depth", "4", "--steps", "2"]
    done = subprocess.run(command, cwd=ROOT, env=os.environ, capture_output=True, text=True)
    assert read_output(done.stdout)["places"] == [0, 0, 1, 1]
