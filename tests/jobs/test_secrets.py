"""The secret of a job's ranks is in the batch's file and nowhere else."""

import json
import os

import pytest

from jobs.executors import executor_of
from jobs.launch import launch, show_dry_run
from jobs.order import SubmitOrder
from jobs.plan import RerunPolicy
from jobs.terminal.next_steps import CommandLine
from study.storage.store import Store
from tests.jobs.fake_slurm import FakeSlurm
from tests.jobs.test_what_was_submitted import GRID, PROFILE


@pytest.fixture
def slurm(tmp_path, monkeypatch):
    """A Slurm that takes every job, and notes all that it is given."""
    fake = FakeSlurm(tmp_path / "bin")
    monkeypatch.setenv("PATH", f"{fake.folder}:{os.environ['PATH']}")
    given = tmp_path / "given"
    note = f'{{ echo "$@"; env; for a; do test ! -f "$a" || cat "$a"; done; }} >> {given}'
    fake.write("sbatch", f"{note}; echo Submitted batch job 23")
    return given


def test_every_assignment_has_a_secret_that_nothing_but_its_batch_holds(tmp_path, slurm, capsys):
    store = Store(tmp_path / "r", "mine")
    order = SubmitOrder([GRID], {}, executor_of(PROFILE, store), RerunPolicy(), CommandLine(["g"]))
    show_dry_run(order)
    launch(order)
    batches = sorted(store.batches.glob("*.json"))
    found = [its["secret"] for path in batches for its in json.loads(path.read_text())]
    assert len(set(found)) == 2
    assert all(len(bytes.fromhex(secret)) == 32 for secret in found)
    others = [path for path in store.folder.parent.rglob("*") if path.is_file()]
    shown = [path.read_text() for path in others if path not in batches]
    shown += [slurm.read_text(), *capsys.readouterr()]
    assert "#SBATCH" in slurm.read_text()
    assert not [secret for secret in found for text in shown if secret in text]
