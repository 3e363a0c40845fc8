"""`python -m mp`: one case by hand, JSON on stdout."""

import json
import subprocess
import sys


def run(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "mp", *arguments], capture_output=True, text=True, timeout=120
    )


def test_one_case_prints_its_result():
    done = run("--depth", "20", "--gpus", "5", "--dim", "16", "--steps", "3", "--device", "cpu")
    result = json.loads(done.stdout)
    assert done.returncode == 0
    assert result["transfers"]["moves_forward"] == 4
    assert result["emulated"] is True


def test_an_option_of_the_wrong_type_is_one_line_and_exit_code_2():
    done = run("--depth", "six", "--gpus", "2")
    assert done.returncode == 2
    assert done.stderr == "error: --depth: depth: 'six' is not a whole number from 1 to 100000\n"
    assert done.stdout == ""
