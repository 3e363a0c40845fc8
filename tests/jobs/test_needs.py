"""What a job's Python must have, and what a login node's need not."""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import venv

import pytest

from jobs.job_log import find_cause
from jobs.worker.needs import OLDEST, PACKAGES
from tests.conftest import ROOT, without

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def bare_python(tmp_path_factory):
    """A Python that has no packages."""
    folder = tmp_path_factory.mktemp("bare")
    venv.create(folder, with_pip=False, symlinks=True)
    return folder / "bin" / "python"


def start_worker(python, **environment):
    command = [python, "-m", "jobs.worker", "/nowhere"]
    return subprocess.run(
        command, cwd=ROOT, env=os.environ | environment, capture_output=True, text=True, timeout=60
    )


@pytest.mark.parametrize(("rank", "mark"), [("0", ""), ("3", "[rank 3] ")])
def test_a_python_that_lacks_packages_says_which(bare_python, tmp_path, rank, mark):
    done = start_worker(bare_python, SLURM_PROCID=rank)
    assert done.returncode == 2
    assert done.stderr.startswith(f"{mark}mpbench: job failed: {bare_python} (Python 3.")
    assert "lacks msgspec, numpy, nvidia-ml-py, scipy, torch: install them for it" in done.stderr
    assert done.stderr.count("\n") == 1
    log = tmp_path / "log"
    log.write_text(f"{done.stderr}srun: error: gpu1: task 0: Exited with exit code 2\n")
    trace = find_cause(log)
    assert (trace.outcome, trace.line) == ("error", done.stderr.strip())


@pytest.mark.parametrize(
    "name", ["__init__", "rendezvous", "worker/__init__", "worker/__main__", "worker/needs"]
)
def test_an_old_python_can_read_what_it_must(name):
    ast.parse((ROOT / f"jobs/{name}.py").read_text(), feature_version=(3, 6))


def test_a_job_imports_no_other_packages():
    code = (
        "import json, sys, sysconfig, jobs.worker.__main__, mp.run\n"
        "import mp.distributed.engine, mp.timing.chrome_trace\n"
        "site = sysconfig.get_path('purelib')\n"
        "found = {n for n, m in sys.modules.items() if (getattr(m, '__file__', 0) or '')\n"
        "         .startswith(site)}\n"
        "print(json.dumps(sorted({name.partition('.')[0] for name in found})))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    ours = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    modules = {"nvidia-ml-py": "pynvml", "pyyaml": "yaml"}
    ours = {re.match(r"[\w-]+", text)[0] for text in ours}
    assert set(json.loads(done.stdout)) & {modules.get(name, name) for name in ours} == {*PACKAGES}


def test_the_page_on_clusters_and_the_project_say_the_same():
    page = (ROOT / "docs/cluster.md").read_text()
    assert all(f"`{name}`" in page for name in PACKAGES.values())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["requires-python"] == f">={OLDEST[0]}.{OLDEST[1]}"


def test_a_login_node_needs_no_torch(run, tmp_path):
    environment = os.environ | without("torch", tmp_path)
    shutil.copytree(ROOT / "docs/example/results", tmp_path / "results")
    results = ["--results", tmp_path / "results"]
    assert run("-c", "import torch", env=environment).returncode == 1
    done = run("submit.py", "--grid", "pipeline", "--cluster", "slurm", "--dry-run",
               "--results", tmp_path / "r", env=environment)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "torch" not in done.stderr
    assert "jobs.worker" in done.stdout
    for arguments in (["submit.py", "--status", "--cluster", "local"], ["collect.py"]):
        done = run(*arguments, *results, env=environment)
        assert done.returncode in (0, 1), done.stderr
        assert "Traceback" not in done.stderr
    done = run("collect.py", *results, "--report", tmp_path / "r.pdf", env=environment)
    assert (tmp_path / "r.pdf").exists(), done.stderr
