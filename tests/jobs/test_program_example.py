"""The example of a program, as docs/program.md has it: torchrun with two processes over Gloo."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.conftest import PATIENCE_S, ROOT

EXAMPLE = ROOT / "examples/program"
pytestmark = pytest.mark.long


def test_the_example_goes_from_its_folder_to_a_table(tmp_path):
    scripts = str(Path(sys.executable).parent)
    environment = os.environ | {"PATH": f"{scripts}:{os.environ['PATH']}", "OMP_NUM_THREADS": "1"}
    where = ("--grid", "grid.yaml", "--results", str(tmp_path / "r"), "--cluster", "local")

    def run(name, *arguments):
        return subprocess.run(
            [sys.executable, str(ROOT / name), *arguments], cwd=EXAMPLE, env=environment,
            capture_output=True, text=True, timeout=PATIENCE_S,
        )  # fmt: skip

    # The larger number of processes alone: torch takes seconds to start.
    done = run("submit.py", *where, "--set", "gpus=2", "--set", "args.layers=4")
    assert done.returncode == 0, done.stdout + done.stderr
    (path,) = (tmp_path / "r/local").glob("program-g2-*.json")
    found = json.loads(path.read_text())["program"]
    assert (found["told_by"], len(found["step_times_s"])) == ("file", 60)
    assert (found["items_per_step"], found["item"]) == (128, "row")
    table = run("collect.py", *where[:4]).stdout
    assert "A step takes" in table
    assert "EMULATED" in table


def test_the_page_has_the_grid_of_the_example():
    page = (ROOT / "docs/program.md").read_text()
    text = page.partition("```yaml\n")[2].partition("```")[0]
    assert yaml.safe_load(text) == yaml.safe_load((EXAMPLE / "grid.yaml").read_text())
