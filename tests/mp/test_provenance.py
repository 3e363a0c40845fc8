"""Which code ran, and which of its files differed from the commit."""

import subprocess

import pytest

from mp.hardware.host import describe_code
from study.results.result import Code

FILES = ("submit.py", "collect.py", "cluster.yaml", "README.md", "mp/single/step.py",
         "jobs/plan.py", "study/case.py", "grids/task1.yaml", "docs/design.md",
         "tests/test_docs.py", "report/text.py", "results/local/a.json", "mp/ü b.py")  # fmt: skip


@pytest.fixture(params=[".", "inside/of another"])
def checkout(request, tmp_path):
    """A committed checkout, also as a folder of a larger repository."""
    folder = tmp_path / request.param
    for name in FILES:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("first\n")
    author = ("-c", "user.name=a", "-c", "user.email=a@b.c")
    for command in (("init", "-q"), ("add", "-A"), (*author, "commit", "-q", "-m", "all")):
        subprocess.run(["git", "-C", tmp_path, *command], check=True)
    return folder


def change(folder, *names):
    for name in names:
        (folder / name).write_text("second\n")


def test_a_fresh_checkout_has_no_changed_files(checkout):
    code = describe_code(checkout)
    assert (code.dirty, code.changed) == (False, ())
    assert len(code.commit) == 40


@pytest.mark.parametrize(
    "name", ["cluster.yaml", "grids/task1.yaml", "README.md", "docs/design.md", "collect.py",
             "tests/test_docs.py", "results/local/a.json", "report/text.py"]
)  # fmt: skip
def test_what_does_not_measure_may_change(checkout, name):
    change(checkout, name)
    code = describe_code(checkout)
    assert (code.dirty, code.changed) == (False, ())


def test_changed_files_of_the_code_are_named(checkout):
    change(checkout, "submit.py", "mp/single/step.py", "mp/ü b.py", "cluster.yaml")
    (checkout / "jobs/plan.py").unlink()
    subprocess.run(["git", "-C", checkout, "mv", "study/case.py", "study/kase.py"], check=True)
    subprocess.run(["git", "-C", checkout, "add", "mp/single/step.py"], check=True)
    code = describe_code(checkout)
    assert code.dirty is True
    assert code.changed == (
        "jobs/plan.py", "mp/single/step.py", "mp/ü b.py", "study/case.py", "study/kase.py",
        "submit.py",
    )  # fmt: skip


def test_a_file_that_was_only_touched_has_not_changed(checkout):
    change(checkout, "mp/single/step.py")
    (checkout / "mp/single/step.py").write_text("first\n")
    assert describe_code(checkout).dirty is False


def test_without_git_nothing_is_known(tmp_path):
    assert describe_code(tmp_path) == Code(commit=None, dirty=None)
