"""A new schedule is one entry of a table: here one is added that torch has, and measured."""

import json
import os
import subprocess
import sys

import pytest

from study.paths import ROOT
from study.schedules import SCHEDULES, Schedule
from tests.conftest import PATIENCE_S

pytestmark = pytest.mark.long

# What a person would write into study/schedules.py; sitecustomize runs it in every process.
ENTRY = """
from study import schedules

schedules.SCHEDULES["looped_bfs"] = schedules.Schedule(
    label="looped BFS",
    family="pipeline",
    keys=("micro_batches", "chunks_per_gpu", "balance"),
    chunks=range(2, 9),
    accepts=schedules.any_number,
    gpu_of_stage=lambda p, v: list(range(p)) * v,
    layers="Looped, the stages are dealt to the GPUs in turn.",
    holds_shares=False,
    torch_class="LoopedBFS",
    bubble=lambda p, m, v: (p - 1) / (v * m + p - 1),
    unequal_bubble=None,
    in_flight=lambda p, m, v, gpu: v * m,
)
"""
CASE = ("--schedule=looped_bfs", "--gpus=2", "--depth=8", "--dim=64", "--batch-size=16",
        "--micro-batches=4", "--steps=20", "--warmup-steps=5", "--device=cpu")  # fmt: skip


@pytest.fixture(scope="module")
def python(tmp_path_factory):
    """Run Python with the new entry."""
    folder = tmp_path_factory.mktemp("entry")
    (folder / "sitecustomize.py").write_text(ENTRY)
    paths = {"PYTHONPATH": f"{folder}{os.pathsep}{ROOT}"}

    def run(*arguments):
        done = subprocess.run(
            [sys.executable, *map(str, arguments)], cwd=ROOT, env=os.environ | paths,
            capture_output=True, text=True, timeout=PATIENCE_S,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


@pytest.fixture(scope="module")
def results(python, tmp_path_factory):
    """A folder with one result of the new schedule."""
    written = python("-m", "mp", *CASE)
    folder = tmp_path_factory.mktemp("results") / "local"
    folder.mkdir()
    (folder / f"{json.loads(written)['case_id']}.json").write_text(written)
    return folder.parent


def test_it_is_measured_with_the_stages_that_its_entry_says(results):
    (path,) = results.rglob("*.json")
    result = json.loads(path.read_text())
    assert result["outcome"] == "ok"
    assert result["placement"]["gpu_of_layer"] == [0, 0, 1, 1, 0, 0, 1, 1]


def test_it_is_reported_by_its_name_with_its_bubble(python, results, tmp_path):
    grid = tmp_path / "mine.yaml"
    grid.write_text(
        "title: Mine\ntable: schedules\naxes: {schedule: [looped_bfs], gpus: [2]}\n"
        "model: {depth: 8, dim: 64, batch_size: 16}\npipeline: {micro_batches: 4}\n"
        "measure: {steps: 20, warmup_steps: 5}\n"
    )
    tables = python("collect.py", "--results", results, "--grid", grid)
    assert "looped BFS" in tables
    assert "11.1 %" in tables  # 1 / (2 * 4 + 1)


def test_what_it_does_not_take_is_refused(python):
    code = (
        "from study.errors import ConfigError\nfrom study.validation import make_case\n"
        "keys = {'depth': 8, 'gpus': 2, 'schedule': 'looped_bfs', 'chunks_per_gpu': 9}\n"
        "try: make_case(keys, 'grid')\nexcept ConfigError as error: print(error)"
    )
    assert "9 with schedule: looped_bfs, which takes 2 to 8" in python("-c", code)


def test_an_entry_that_lacks_a_part_fails_at_import():
    known = {key: getattr(SCHEDULES["gpipe"], key) for key in Schedule.__dataclass_fields__}
    for key in known:
        with pytest.raises(TypeError, match=key):
            Schedule(**{name: part for name, part in known.items() if name != key})


def test_a_pipeline_without_a_class_of_torch_fails_at_import():
    known = {key: getattr(SCHEDULES["gpipe"], key) for key in Schedule.__dataclass_fields__}
    with pytest.raises(ValueError, match="GPipe: family pipeline"):
        Schedule(**known | {"torch_class": None})
