"""How often submit.py reads each file: a plan reads it once, and there are two plans."""

import os
from collections import Counter

import pytest

from jobs.executors import executor_of
from jobs.launch import launch
from jobs.order import SubmitOrder
from jobs.plan import RerunPolicy
from jobs.terminal.next_steps import CommandLine
from study.case import Case
from study.grids.grid import Grid
from study.outcome import FAILED
from study.results.file import encode
from study.results.result import CaseFailure
from study.storage import files
from study.storage.store import Store
from tests.jobs.fake_slurm import FakeSlurm
from tests.jobs.test_slurm_answers import submitted, write
from tests.jobs.test_what_was_submitted import PROFILE
from tests.report import made_up

GRID = Grid(
    name="g", source="g.yaml", title="g", table="memory",
    axes={"gpus": (2, 3, 4)}, setting={"depth": 20},
)  # fmt: skip


@pytest.fixture
def reads(tmp_path, monkeypatch):
    """How often each file of the results folder was opened to be read, by name."""
    counted: Counter[str] = Counter()
    really = os.open

    def count(path, flags, *more, **named):
        found = really(path, flags, *more, **named)
        is_ours = str(path).startswith(str(tmp_path / "r"))
        if is_ours and flags & os.O_ACCMODE == os.O_RDONLY and not os.path.isdir(path):
            counted[os.path.basename(path)] += 1
        return found

    monkeypatch.setattr(files.os, "open", count)
    return counted


@pytest.mark.parametrize("policy", [{}, {"only": FAILED}], ids=["all", "failed"])
def test_each_result_and_the_ledger_are_read_twice_at_most(tmp_path, monkeypatch, reads, policy):
    fake = FakeSlurm(tmp_path / "bin")
    monkeypatch.setenv("PATH", f"{fake.folder}:{os.environ['PATH']}")
    fake.answer("sbatch", "Submitted batch job 23\n")
    store = Store(tmp_path / "r", "mine")
    store.prepare()
    submitted(store, "17")
    write(store, error=CaseFailure(type="RuntimeError", message="no"))
    for gpus in (3, 4):  # measured, and one of them by a job that the ledger knows
        result = made_up.result(depth=20, gpus=gpus)
        store.result_path(Case(depth=20, gpus=gpus)).write_bytes(encode(result))
    submitted(store, "18", gpus=3)
    reads.clear()
    order = SubmitOrder(
        [GRID], {}, executor_of(PROFILE, store), RerunPolicy(**policy), CommandLine(["g"])
    )
    launch(order)
    results = {f"{case.case_id}.json": reads[f"{case.case_id}.json"] for case in GRID.cases()}
    # A case that runs again is looked at once more, just before its old result is moved.
    assert set(results.values()) <= ({2} if not policy else {2, 3})
    assert reads["submissions.jsonl"] == 2
