"""Running the entry points as a person does, and the private Slurm cluster."""

import gc
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from xdist.scheduler import LoadScopeScheduling

from tests.cluster.cluster import ACCOUNTING, PLAIN, Cluster, make_cluster, number_of
from tests.preloaded import Preloaded

ROOT = Path(__file__).resolve().parent.parent
PATIENCE_S = 300.0  # how long a test waits at most: a loaded machine is slow, and breaks no test
Run = Callable[..., subprocess.CompletedProcess[str]]

# For these processes and all that they start. Threads of torch that wait for one another keep the
# cores from the others; and hundreds of processes would each compile what none may keep compiled.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# A shell that starts the tests in the background makes them deaf to Ctrl-C, and all they start.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def preloaded() -> Iterator[Callable[[], Preloaded]]:
    """A process that has loaded collect.py, once it is needed."""
    started: list[Preloaded] = []

    def preloaded() -> Preloaded:
        if not started or not started[-1].is_fit:
            started.append(Preloaded())
        return started[-1]

    yield preloaded
    for each in started:
        each.end()


@pytest.fixture
def run(preloaded: Callable[[], Preloaded]) -> Run:
    """Run a Python entry point from the project's folder: `run("submit.py", "--grid", ...)`."""

    def run(*arguments: object, env: dict[str, str] | None = None, timeout: float = PATIENCE_S):
        if env is None and arguments[0] == "collect.py":
            return preloaded().run([*map(str, arguments)], timeout)
        command = [sys.executable, *map(str, arguments)]
        env = dict(os.environ) if env is None else env
        return subprocess.run(
            command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=timeout
        )

    return run


def without(package: str, folder: Path) -> dict[str, str]:
    """The environment in which Python cannot import the package, through a file in the folder."""
    blocker = folder / "without" / "sitecustomize.py"
    blocker.parent.mkdir()
    blocker.write_text(f"import sys; sys.modules[{package!r}] = None\n")
    return {"PYTHONPATH": str(blocker.parent)}


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


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the tests on Slurm, the slow ones first, since they mostly wait.

    Long files begin before short ones, so that no worker is left with one.
    """
    items.sort(key=_place_of)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> "ByFile":
    """Group the tests for workers that run side by side, whatever `--dist` says."""
    return ByFile(config, log)


class ByFile(LoadScopeScheduling):
    """Tests of a file share what its fixtures made; those on Slurm go out each by itself.

    xdist's own groups say nothing under pytest 9.2, which does not look at the ids they change.
    """

    def _split_scope(self, nodeid: str) -> str:
        if not nodeid.startswith("tests/slurm/"):
            return nodeid.partition("::")[0]
        return nodeid if os.geteuid() == 0 else "slurm"  # workers of others share a cluster


def pytest_collection_finish() -> None:
    """Let no later search for garbage go through thousands of tests; every timed case makes six."""
    gc.collect()
    gc.freeze()


def _place_of(item: pytest.Item) -> tuple[bool, ...]:
    marks = [item.get_closest_marker(name) is None for name in ("slow", "long")]
    return not _is_on_slurm(item), *marks


def _is_on_slurm(item: pytest.Item) -> bool:
    return item.path.is_relative_to(ROOT / "tests/slurm")


@pytest.hookimpl(trylast=True)  # when xdist has ended all workers
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Stop the clusters of workers that were killed before they could."""
    if "PYTEST_XDIST_WORKER" in os.environ or os.geteuid() != 0:
        return
    for worker in range(session.config.getoption("numprocesses", None) or 0):
        for accounting in (False, True):
            left = make_cluster(number_of(f"gw{worker}"), accounting=accounting)
            if _starter(left).exists() and _starter(left).read_text() == str(os.getpid()):
                left.down()


def _starter(cluster: Cluster) -> Path:
    """The file with the process whose tests have started the cluster: never stop another's."""
    return cluster.folder / "started_by"


@pytest.fixture(scope="session")
def start() -> Iterator[Callable[[Cluster], None]]:
    """Start a private cluster unless it is up; those started here are stopped at the very end.

    Skips the test where it cannot be had; if MPBENCH_REQUIRE_SLURM is set, that is a failure.
    """
    started: list[Cluster] = []

    def start(cluster: Cluster) -> None:
        if cluster.is_up():
            cluster.share_nodes()  # `make slurm` may have started it
            return
        if problem := cluster.why_impossible():
            complain = pytest.fail if os.environ.get("MPBENCH_REQUIRE_SLURM") else pytest.skip
            complain(f"no private Slurm: {problem}")
        if cluster not in started:
            started.append(cluster)
        cluster.up()
        _starter(cluster).write_text(str(os.getppid()))  # of a worker: the pytest that has it

    yield start
    for cluster in started:
        cluster.down()


@pytest.fixture
def slurm(start: Callable[[Cluster], None]) -> dict[str, str]:
    """The environment in which Slurm's commands reach the private cluster without accounting."""
    start(PLAIN)
    return PLAIN.environment


@pytest.fixture(params=[PLAIN, ACCOUNTING], ids=["plain", "accounting"])
def cluster(request: pytest.FixtureRequest, start: Callable[[Cluster], None]) -> Cluster:
    """Each private cluster, without and with accounting."""
    start(request.param)
    return request.param
