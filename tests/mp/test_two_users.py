"""Two ranks of one user, and another user of the same node: as root, who can be both."""

import json
import os
import secrets
import subprocess
import sys
import time
from contextlib import contextmanager

import pytest

from jobs.batch import Assignment, write_batch
from mp.launcher.launcher import free_port
from study.case import Case
from study.storage.store import Store
from tests.conftest import PATIENCE_S, ROOT
from tests.mp.stranger_at_the_port import STRANGER

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can be two users"),
]


@pytest.fixture
def store(tmp_path):
    tmp_path.chmod(0o777)  # an attack could make its folder here
    store = Store(tmp_path / "results", "mine")
    store.prepare()
    return store


@pytest.fixture
def rank(store):
    """Return what starts a rank of a case of two at a port, as srun does; all end with the test."""
    case = Case(
        depth=4, gpus=2, dim=8, batch_size=8, schedule="gpipe", micro_batches=2, warmup_steps=0,
        steps=3,
    )  # fmt: skip
    assignment = Assignment(
        batch=f"{store.token}-1", case=case, grid="g", overrides={}, device="cpu",
        executor="slurm", results=str(store.folder.parent), profile="mine", timeout_min=5,
        user="me", cluster="fake", submitted_at="2030-01-01T10:00:00.000+00:00",
        secret=secrets.token_hex(32),
    )  # fmt: skip
    batch = write_batch(store, [assignment])
    here = {"SLURM_JOB_ID": 23, "SLURM_NTASKS": 2, "SLURM_JOB_NUM_NODES": 1}
    here |= {"SLURM_GPUS_ON_NODE": 2, "MASTER_ADDR": "127.0.0.1"}
    children = []

    def start(number, port):
        more = {"SLURM_PROCID": number, "SLURM_LOCALID": number, "MASTER_PORT": port}
        variables = {name: str(value) for name, value in (here | more).items()}
        child = subprocess.Popen(
            [sys.executable, "-m", "jobs.worker", str(batch)],
            cwd=ROOT,
            env=os.environ | variables,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        children.append(child)
        return child

    yield start
    for child in children:
        child.kill()
        child.communicate()


@contextmanager
def stranger(attack, port, folder):
    """Another user who is about to attack."""
    command = [
        sys.executable,
        "-m",
        "tests.mp.stranger_at_the_port",
        attack,
        str(port),
        str(folder),
    ]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as child:
        try:
            assert child.stdout.readline() == "ready\n"
            assert os.stat(f"/proc/{child.pid}").st_uid == STRANGER
            yield
        finally:
            child.kill()


def result_of(store):
    (path,) = store.folder.glob("*.json")
    return json.loads(path.read_text())


def test_who_takes_the_port_first_runs_nothing_and_is_told_in_words(store, rank, tmp_path):
    port, folder = free_port(), tmp_path / "made_by_the_stranger"
    with stranger("play_first_rank", port, folder):
        ranks = [rank(number, port) for number in range(2)]
        words = [child.communicate(timeout=PATIENCE_S)[1] for child in ranks]
        assert [child.returncode for child in ranks] == [1, 1]
    assert not folder.exists()
    result = result_of(store)
    assert result["outcome"] == "error"
    assert result["error"]["message"].startswith(f"somebody else listens at 127.0.0.1:{port}, ")
    for said in words:
        assert f"somebody else listens at 127.0.0.1:{port}, where rank " in said
        assert "run the case again" in said


def test_a_failure_that_another_user_forges_becomes_no_result(store, rank, tmp_path):
    port = free_port()
    with stranger("forge_failure", port, tmp_path / "nothing"):
        first = rank(0, port)
        until = time.monotonic() + PATIENCE_S
        while "somebody who does not know" not in (said := first.stderr.readline()):
            assert said, "the first rank ended"
            assert time.monotonic() < until
        other = rank(1, port)
        other.communicate(timeout=PATIENCE_S)
        first.communicate(timeout=PATIENCE_S)
    assert (first.returncode, other.returncode) == (0, 0)
    assert result_of(store)["outcome"] == "ok"
