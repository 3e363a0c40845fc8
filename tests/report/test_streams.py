"""collect.py where nobody listens, streams being closed, and with paths that lead nowhere."""

import subprocess
import sys

import pytest

from tests.conftest import PATIENCE_S, ROOT
from tests.report.made_up import result, write


def shell(command, *arguments):
    """collect.py within a line of the shell, which knows how to close a stream."""
    line = f"{sys.executable} collect.py {command}"
    return subprocess.run(
        ["bash", "-c", line, "bash", *map(str, arguments)],
        cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_S,
    )  # fmt: skip


def test_a_closed_stderr_changes_no_exit_code_and_nothing_lands_in_the_table(tmp_path):
    write(tmp_path, "slurm", result(gpus=2), result(gpus=5))
    assert shell('--results "$1" --grid task4 2>&-', tmp_path).returncode == 0
    refused = shell('--results "$1" --grid task4 --set dim=3 2>&-', tmp_path)
    assert (refused.returncode, refused.stdout) == (2, "")


def test_a_closed_stdout_is_one_line(tmp_path):
    write(tmp_path, "slurm", result(gpus=2), result(gpus=5))
    done = shell('--results "$1" --grid task4 >&-', tmp_path)
    assert done.returncode == 2
    assert done.stderr == "error: stdout: is closed; send the tables somewhere\n"


@pytest.mark.parametrize("option", ["--results", "--compare", "--report"])
def test_a_path_too_long_to_be_one_is_one_line(run, tmp_path, option):
    name = "x" * 300 + ".pdf"
    done = run("collect.py", "--results", tmp_path, "--grid", "task4", option, tmp_path / name)
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: {option}: ")
    assert done.stderr.count("\n") == 1


def test_a_link_to_itself_is_no_report(run, tmp_path):
    loop = tmp_path / "loop.pdf"
    loop.symlink_to(loop)
    done = run("collect.py", "--results", tmp_path, "--grid", "task4", "--report", loop)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
