"""Running the entry points as a person does, and the private Slurm cluster."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cluster import cluster

ROOT = Path(__file__).resolve().parent.parent
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run() -> Run:
    """Run a Python entry point from the project's folder: `run("submit.py", "--grid", ...)`."""

    def run(*arguments: object, env: dict[str, str] | None = None, timeout: float = 120):
        command = [sys.executable, *map(str, arguments)]
        env = dict(os.environ) if env is None else env
        return subprocess.run(
            command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=timeout
        )

    return run


@pytest.fixture
def small_grid(tmp_path: Path) -> Path:
    """A grid like task 4, of seconds."""
    path = tmp_path / "small.yaml"
    path.write_text(
        "table: memory\n"
        "axes: {depth: [20], gpus: [2, 5]}\n"
        "model: {dim: 16, batch_size: 4}\n"
        "measure: {warmup_steps: 1, steps: 3}\n"
    )
    return path


@pytest.fixture(scope="session")
def slurm() -> Iterator[dict[str, str]]:
    """The environment in which Slurm's commands reach the private cluster.

    Uses the cluster of `make slurm`, or starts one and stops it again. Where none can be had the
    test is skipped, or fails if MPBENCH_REQUIRE_SLURM is set.
    """
    problem = None if cluster.is_up() else cluster.why_impossible()
    if problem:
        complain = pytest.fail if os.environ.get("MPBENCH_REQUIRE_SLURM") else pytest.skip
        complain(f"no private Slurm: {problem}")
    started_here = not cluster.is_up()
    cluster.up()
    yield {k: v for k, v in os.environ.items() if not k.startswith("SLURM_")} | {
        "SLURM_CONF": str(cluster.CONF)
    }
    if started_here:
        cluster.down()
