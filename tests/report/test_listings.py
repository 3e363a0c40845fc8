"""Task 3 hands in the code that ran."""

import subprocess

import msgspec
import pytest

from study.paths import ROOT
from tests.report.made_up import result, write
from tests.report.shown import only_section


def listings(folder, *results):
    write(folder, "slurm", *results)
    return only_section(folder, "task3").listings


def of_commit(given, commit, dirty=False):
    code = msgspec.structs.replace(given.code, commit=commit, dirty=dirty)
    return msgspec.structs.replace(given, code=code)


def test_task_three_shows_the_constructor_and_the_rule(tmp_path):
    constructor, *_, rule = listings(tmp_path, result("task3", gpus=1))
    assert constructor.code.startswith("def __init__(self, dim, depth")
    assert "nn.Linear(dim, dim).to(self.devices[gpu])" in constructor.code
    assert rule.code.endswith("return i * gpus // depth")


def test_the_code_is_that_of_the_commit_that_ran(tmp_path):
    command = ["git", "-C", str(ROOT), "rev-parse", "HEAD"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        pytest.skip("not a git checkout")
    head = done.stdout.strip()
    constructor, *_ = listings(tmp_path, of_commit(result("task3", gpus=1), head))
    assert constructor.caption == f"__init__ of mp/model.py at commit {head[:7]}"


@pytest.mark.parametrize(("commit", "dirty"), [("0" * 40, False), (None, None), ("a" * 40, True)])
def test_code_that_git_does_not_have_is_shown_as_it_is_now_and_said(tmp_path, commit, dirty):
    first, *_ = listings(tmp_path, of_commit(result("task3", gpus=1), commit, dirty))
    assert first.caption == "__init__ of mp/model.py as it is now"


def test_task_one_shows_where_the_baton_is_passed(tmp_path):
    write(tmp_path, "slurm", result("task1"))
    (forward,) = only_section(tmp_path, "task1").listings
    assert "x = x.to(layer_device)  # pass the baton" in forward.code


def test_other_tasks_show_no_code(tmp_path):
    write(tmp_path, "slurm", result(gpus=2))
    assert only_section(tmp_path, "task4").listings == []
