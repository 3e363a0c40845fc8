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


def of_commit(given, commit, dirty=False, changed=None):
    code = msgspec.structs.replace(given.code, commit=commit, dirty=dirty, changed=changed)
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
    where = f"mp/model.py at commit {head[:7]}"
    assert constructor.caption == f"__init__ of {where}, which was measured"
    other = of_commit(result("task3", gpus=1), head, dirty=True, changed=("mp/run.py",))
    constructor, *_ = listings(tmp_path / "other", other)
    assert constructor.caption == f"__init__ of {where}, which was measured"  # another file changed


def test_code_that_may_have_been_changed_is_compared_with_the_commit(tmp_path):
    command = ["git", "-C", str(ROOT), "rev-parse", "HEAD"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        pytest.skip("not a git checkout")
    head = done.stdout.strip()
    constructor, *_ = listings(tmp_path, of_commit(result("task3", gpus=1), head, dirty=True))
    where = f"from the code of this report, the same at commit {head[:7]}"
    assert constructor.caption == f"__init__ of mp/model.py, {where}"


@pytest.mark.parametrize(("commit", "dirty"), [("0" * 40, False), (None, None), ("a" * 40, True)])
def test_code_that_git_does_not_have_is_that_of_the_report(tmp_path, commit, dirty):
    first, *_ = listings(tmp_path, of_commit(result("task3", gpus=1), commit, dirty))
    assert first.caption == "__init__ of mp/model.py, from the code of this report"


def test_task_one_shows_where_the_baton_is_passed(tmp_path):
    write(tmp_path, "slurm", result("task1"))
    (forward,) = only_section(tmp_path, "task1").listings
    assert "x = x.to(layer_device)  # pass the baton" in forward.code


def test_other_tasks_show_no_code(tmp_path):
    write(tmp_path, "slurm", result(gpus=2))
    assert only_section(tmp_path, "task4").listings == []
