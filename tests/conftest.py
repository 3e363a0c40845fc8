"""Running the entry points as a person does, and the private Slurm cluster."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cluster.cluster import ACCOUNTING, PLAIN, Cluster

ROOT = Path(__file__).resolve().parent.parent
Run = Callable[..., subprocess.CompletedProcess[str]]

# A shell that starts the tests in the background makes them deaf to Ctrl-C, and all they start.
signal.signal(signal.SIGINT, signal.default_int_handler)


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


@contextmanager
def running(cluster: Cluster) -> Iterator[Cluster]:
    """The cluster, up; stopped again if it was not. Skips the test where it cannot be had.

    If MPBENCH_REQUIRE_SLURM is set, that is a failure.
    """
    started_here = not cluster.is_up()
    problem = cluster.why_impossible() if started_here else None
    if problem:
        complain = pytest.fail if os.environ.get("MPBENCH_REQUIRE_SLURM") else pytest.skip
        complain(f"no private Slurm: {problem}")
    cluster.up()
    yield cluster
    if started_here:
        cluster.down()


@pytest.fixture(scope="session")
def slurm() -> Iterator[dict[str, str]]:
    """The environment in which Slurm's commands reach the private cluster without accounting."""
    with running(PLAIN) as cluster:
        yield cluster.environment


@pytest.fixture(scope="session", params=[PLAIN, ACCOUNTING], ids=["plain", "accounting"])
def cluster(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """Each private cluster in turn, without and with accounting."""
    with running(request.param) as cluster:
        yield cluster
