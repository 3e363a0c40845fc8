"""A user's file runs in the job alone: who submits and who collects never executes it."""

import ast

from tests.test_imports import SOURCES, WORKER, imports_of, part_of

RUNS = {"exec", "eval", "compile", "__import__"}
LOADS = {"import_module", "exec_module", "load_module", "module_from_spec", "run_path",
         "run_module", "spec_from_file_location", "SourceFileLoader"}  # fmt: skip
OUTSIDE = [path for path in SOURCES if part_of(path) != "mp"]

GRID = """
table: schedules
axes: {{gpus: [1, 2]}}
model: {{factory: "{file}:build", depth: 2, batch_size: 4}}
measure: {{warmup_steps: 1, steps: 3}}
"""
MODEL = """
import os
open({marker!r}, "a").write("x")
import torch
from torch import nn

def build():
    print("a line of the user's on stdout")
    return [nn.Linear(4, 4), nn.Linear(4, 4)], lambda n: torch.randn(2, n, 4).unbind(), \\
        nn.functional.mse_loss
"""


def test_nothing_outside_of_the_benchmark_can_load_or_run_a_file():
    assert len(OUTSIDE) > 100
    for path in OUTSIDE:
        nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
        names = {node.id for node in nodes if isinstance(node, ast.Name)}
        attributes = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
        imported = {i.name.rpartition(".")[2] for i in imports_of(path)}
        assert not RUNS & names, path
        assert not LOADS & (names | attributes | imported), path
        assert "runpy" not in imported, path


def test_only_the_worker_reaches_the_benchmark():
    assert [path for path in OUTSIDE if "mp" in {i.top for i in imports_of(path)}] == [WORKER]


def test_the_file_runs_in_the_job_and_neither_before_nor_after(run, tmp_path):
    file, marker, grid = (tmp_path / name for name in ("mine.py", "marker", "mine.yaml"))
    file.write_text(MODEL.format(marker=str(marker)))
    grid.write_text(GRID.format(file=file))
    where = ("--grid", grid, "--results", tmp_path / "results")
    dry = run("submit.py", *where, "--cluster", "local", "--dry-run")
    assert dry.returncode == 0, dry.stderr
    assert not marker.exists()
    done = run("submit.py", *where, "--cluster", "local", "--watch")
    assert done.returncode == 0, done.stderr + done.stdout
    assert marker.read_text() == "xx"  # once in each of two jobs
    marker.unlink()
    results = ("--results", tmp_path / "results")
    collected = run("collect.py", *where[:2], *results)
    assert collected.returncode == 0, collected.stderr
    file.unlink()
    without_file = run("collect.py", *results)
    assert without_file.returncode == 0, without_file.stderr
    assert "| 2     | 2 (emulated) |" in without_file.stdout
    assert not marker.exists()
