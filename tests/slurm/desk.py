"""A person at a cluster: submits a grid, looks at its status, and disturbs what runs."""

import json
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from study.paths import ROOT
from tests.cluster.cluster import NODES, PLAIN, Cluster
from tests.conftest import PATIENCE_S

LOOK_AGAIN_S = 5.0  # where nothing seems to change
# Only root may disturb Slurm's daemons, change what a process resolves, or see jobs of all people.
as_root = [
    pytest.mark.slurm,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root may disturb a cluster"),
]
# For what no database can change: how jobs are submitted, and ends that a result or Slurm's memory
# tells. All else runs on both clusters.
on_one = pytest.mark.parametrize("cluster", [PLAIN], ids=["plain"], indirect=True)
QUICK = "measure: {warmup_steps: 1, steps: 3}"


def lasting(seconds: int) -> str:
    """Timed steps that go on for as long, however well their median is known."""
    limits = f"steps: 1000000, ci_half_width: 0, time_limit_s: {seconds}"
    return f"measure: {{warmup_steps: 1, {limits}}}"


SLOW = lasting(600)


def wait_until(condition: Callable[[], object], patience_s: float = PATIENCE_S) -> None:
    """Wait for the condition; the test fails if it does not come true."""
    deadline = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < deadline, "what the test waits for never came"
        time.sleep(0.2)


@dataclass
class Desk:
    """One results folder and one grid file on one cluster.

    `root` is the checkout whose `profile` is used. Unless its jobs are `real`, they measure
    nothing: a tenth of the time is enough to see what becomes of them.
    """

    cluster: Cluster
    folder: Path
    environment: dict[str, str] = field(default_factory=dict)
    root: Path = ROOT
    profile: str = "testcluster"
    real: bool = False

    def __post_init__(self) -> None:
        tampered = {} if self.real else stand_in()
        self.environment = self.cluster.environment | tampered | self.environment
        self.results = self.folder / "r"
        self.store = self.results / self.profile
        self.grid = self.write_grid()

    def write_grid(self, gpus: str = "[2]", depth: str = "[20]", measure: str = QUICK) -> Path:
        """Make the grid of this desk."""
        path = self.folder / "small.yaml"
        path.write_text(
            f"table: memory\naxes: {{depth: {depth}, gpus: {gpus}}}\n"
            f"model: {{dim: 16, batch_size: 4}}\n{measure}\n"
        )
        return path

    def run(self, *arguments: object, script: Path | None = None, **environment: str):
        """Run submit.py, or another script, to its end."""
        command = self.command(*arguments, script=script)
        return subprocess.run(
            command, cwd=self.root, env=self.environment | environment,
            capture_output=True, text=True, timeout=PATIENCE_S,
        )  # fmt: skip

    def command(self, *arguments: object, script: Path | None = None) -> list[str]:
        """The command line of submit.py on this results folder."""
        more = [*map(str, arguments)]
        if "--cluster" not in more:
            more += ["--cluster", self.profile]
        return [sys.executable, str(script or "submit.py"), *more, "--results", str(self.results)]

    def submit(self, *arguments: object, **environment: str):
        """Submit this desk's grid; it must be taken."""
        done = self.run("--grid", self.grid, *arguments, **environment)
        assert done.returncode in (0, 1), done.stderr
        return done

    def submit_slow_job(self, *arguments: object) -> str:
        """Submit one case that runs until it is ended, and wait for its timed steps; its id."""
        self.write_grid(measure=SLOW)
        self.submit(*arguments)
        self.wait_for_steps()
        return self.job_ids()[-1]

    def wait_for_steps(self) -> None:
        """Until some job has begun its timed steps."""
        said = self.store / "progress"
        wait_until(lambda: any("timing" in p.read_text() for p in said.glob("*.json")))

    def rows(self) -> list[dict[str, str]]:
        """The table of `--status`, a dictionary for each row."""
        return rows_of(self.run("--status").stdout)

    def outcomes(self) -> list[str]:
        """The outcomes in that table."""
        return [row["outcome"] for row in self.rows()]

    def wait_for(self, *outcomes: str, patience_s: float = PATIENCE_S) -> list[dict[str, str]]:
        """Look at the status until the rows have these outcomes.

        A look takes a core for a third of a second, so it waits for a sign of something new.
        """
        rows: list[dict[str, str]] = []
        signs: object = None
        looked_s = 0.0

        def arrived() -> bool:
            nonlocal rows, signs, looked_s
            found = self._signs_of_change()
            if found == signs and time.monotonic() < looked_s + LOOK_AGAIN_S:
                return False
            rows, signs, looked_s = self.rows(), found, time.monotonic()
            return sorted(row["outcome"] for row in rows) == sorted(outcomes)

        try:
            wait_until(arrived, patience_s)
        except AssertionError:
            raise AssertionError(f"{outcomes} never came; the rows are {rows}") from None
        return rows

    def _signs_of_change(self) -> object:
        """What Slurm says of all jobs, and which results there are."""
        jobs = self.cluster.ask("squeue", "--states=all", "--noheader", "--format=%i %T %r")
        return jobs, sorted(self.store.glob("*.json"))

    def events(self, kind: str | None = None) -> list[dict]:
        """The ledger's lines."""
        path = self.store / "submissions.jsonl"
        lines = path.read_text().splitlines() if path.exists() else []
        events = [json.loads(line) for line in lines]
        return [event for event in events if kind in (None, event["event"])]

    def job_ids(self) -> list[str]:
        """The ids of all jobs in the ledger."""
        return [event["job_id"] for event in self.events("submitted")]

    def measured(self) -> list[dict]:
        """The results."""
        return [json.loads(path.read_text()) for path in sorted(self.store.glob("*.json"))]

    def reason(self) -> str:
        """What the last end in the ledger says."""
        return self.events("ended")[-1]["reason"]

    def slurm(self, *command: str) -> str:
        """What a command of Slurm prints; it must succeed."""
        return self.cluster.run(*command)

    def queue(self) -> list[str]:
        """The case ids of this desk's jobs that have not ended, by their comments."""
        lines = self.slurm("squeue", "--array", "--noheader", "--format=%k").splitlines()
        token = {p.stem.rpartition("-")[0] for p in (self.store / "batches").glob("*.json")}
        return [line.partition("@")[0] for line in lines if any(t in line for t in token)]

    def mend(self, node: str) -> None:
        """Let a node that was down or drained take jobs again; one that is well stays so."""
        resume = ("scontrol", "update", f"nodename={node}", "state=resume")
        # Slurm may drain it a moment after we have looked.
        wait_until(lambda: self.cluster.is_up() or self.cluster.ask(*resume))

    def kill_worker(self, job_id: str, rank: int = 0) -> None:
        """Kill the Python process of a job, or one of several."""
        for pid in worker_pids(job_id, rank):
            os.kill(pid, signal.SIGKILL)

    def table(self):
        """What collect.py makes of the results."""
        done = subprocess.run(
            [sys.executable, "collect.py", "--grid", self.grid, "--results", self.results],
            cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_S,
        )  # fmt: skip
        return done.stdout


def rows_of(table: str) -> list[dict[str, str]]:
    """The rows of a status table, by its column titles."""
    header, *lines = table.splitlines()
    titles = ["case", "job id", "state", "reason", "node", "elapsed", "last seen", "outcome", "log"]
    starts = [re.search(rf"(?<!\S){title}(?!\S)", header).start() for title in titles]
    ends = [*starts[1:], None]
    body = [line for line in lines if line[starts[-1] :].startswith("/")]
    spans = list(zip(titles, starts, ends, strict=True))
    return [{title: line[start:end].strip() for title, start, end in spans} for line in body]


def worker_pids(job_id: str, rank: int | None = None) -> list[int]:
    """The processes of our worker in this Slurm job, on this machine; of one rank, or of all."""
    wanted = [f"SLURM_JOB_ID={job_id}"] + ([] if rank is None else [f"SLURM_PROCID={rank}"])
    pids = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            command, environment = (path / "cmdline").read_bytes(), (path / "environ").read_bytes()
        except OSError:
            continue
        ours = b"python" in command.split(b"\0")[0] and b"jobs.worker" in command
        if ours and {text.encode() for text in wanted} <= set(environment.split(b"\0")):
            pids.append(int(path.name))
    return pids


def read_until(terminal: int, words: str) -> str:
    """What a terminal shows, until it has shown these words."""
    seen = ""
    deadline = time.monotonic() + PATIENCE_S
    while words not in seen:
        assert time.monotonic() < deadline, seen
        if select.select([terminal], [], [], 1)[0]:
            seen += os.read(terminal, 65536).decode()
    return seen


def fault(statement: str) -> dict[str, str]:
    """The environment in which a job's Python runs this statement before the model is used."""
    return {"PYTHONPATH": str(ROOT / "tests/slurm/faults"), "MPBENCH_FAULT": statement}


def stand_in(until: Path = Path("/nowhere")) -> dict[str, str]:
    """The environment of a job that measures nothing, for long at most until this file is there."""
    return {"PYTHONPATH": str(ROOT / "tests/slurm/faults"), "MPBENCH_STAND_IN": str(until)}


REAL = fault("")  # the environment of a job that measures, at a desk whose jobs do not


@contextmanager
def settings(cluster: Cluster, line: str) -> Iterator[None]:
    """The cluster with one more line in its configuration."""
    before = cluster.conf.read_text()
    cluster.conf.write_text(f"{before}\n{line}\n")
    cluster.run("scontrol", "reconfigure")
    try:
        yield
    finally:
        cluster.conf.write_text(before)
        cluster.run("scontrol", "reconfigure")


@contextmanager
def sitting_at(desk: Desk) -> Iterator[Desk]:
    """The desk; its jobs are ended, and the nodes mended, afterwards."""
    try:
        yield desk
    finally:
        for node in NODES:
            (desk.cluster.folder / f"broken.{node}").unlink(missing_ok=True)
        desk.cluster.ask("scancel", "--user=root")
        wait_until(lambda: not desk.cluster.ask("squeue", "--noheader"))
        desk.mend("gpu[1-2]")


def checkout(
    folder: Path,
    profile: str,
    *,
    gpus_per_node: int = 8,
    request: str = "gres",
    keys: dict[str, object] | None = None,
    **settings: object,
) -> Path:
    """A checkout of this project whose only profile has these parameters of submitit.

    `keys` are more keys of the profile.
    """
    for package in ("jobs", "predict", "study", "mp", "grids"):
        shutil.copytree(ROOT / package, folder / package)
    shutil.copy(ROOT / "submit.py", folder)
    entry = {"executor": "slurm", "device": "cpu", "gpu_request": request}
    submitit = {"slurm_partition": "gpu", "timeout_min": 30} | settings
    entry |= {"gpus_per_node": gpus_per_node, "submitit": submitit} | (keys or {})
    (folder / "cluster.yaml").write_text(json.dumps({"profiles": {profile: entry}}))  # is YAML too
    return folder
