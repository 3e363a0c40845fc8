"""What a job does before and after it measures."""

import json
import os
import subprocess
import sys

import msgspec
import pytest

from jobs.batch import Assignment, batch_path, read_batch, write_batch
from jobs.slurm.environment import SlurmEnvironment
from jobs.worker.__main__ import Worker
from study.case import Case
from study.results.file import encode
from study.results.result import RANK_LOST, CaseFailure
from study.storage.store import Store
from tests.conftest import PATIENCE_S, ROOT
from tests.report.made_up import result
from tests.slurm.desk import stand_in

pytestmark = pytest.mark.long


@pytest.fixture
def store(tmp_path):
    store = Store(tmp_path, "mine")
    store.prepare()
    return store


def assigned(store, gpus):
    case = Case(depth=8, gpus=gpus, dim=8, batch_size=2, warmup_steps=0, steps=3)
    return Assignment(
        batch=f"{store.token}-1", case=case, grid="g", overrides={}, device="cpu", executor="slurm",
        results=str(store.folder.parent), profile="mine", timeout_min=5, user="me",
        cluster="fake", submitted_at="2030-01-01T10:00:00.000+00:00",
    )  # fmt: skip


def work(path, **environment):
    command = [sys.executable, "-m", "jobs.worker", str(path)]
    env = os.environ | {"SLURM_JOB_ID": "23"} | environment
    return subprocess.run(
        command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=PATIENCE_S
    )


def test_an_element_of_an_array_runs_the_case_of_its_index(store):
    path = write_batch(store, [assigned(store, 1), assigned(store, 2)])
    element = {"SLURM_ARRAY_JOB_ID": "17", "SLURM_ARRAY_TASK_ID": "1", "SLURM_GPUS_ON_NODE": "2"}
    done = work(path, **element, **stand_in())
    assert done.returncode == 0, done.stderr
    (found,) = (json.loads(p.read_text()) for p in store.folder.glob("*.json"))
    assert (found["case"]["gpus"], found["job"]["slurm_job_id"]) == (2, "17_1")
    assert found["job"]["attempt"] == 1
    assert list(store.progress.iterdir()) == []


def test_a_batch_of_an_earlier_version_whose_ranks_have_no_secret_says_to_submit_again(store):
    assignment = assigned(store, 2)
    case = msgspec.structs.replace(assignment.case, schedule="gpipe", micro_batches=2)
    old = msgspec.to_builtins(msgspec.structs.replace(assignment, case=case))
    del old["secret"]
    path = batch_path(store, assignment.batch)
    path.write_bytes(msgspec.json.encode([old]))
    done = work(path, SLURM_NTASKS="2", SLURM_PROCID="0", MASTER_PORT="1")
    assert done.returncode == 1
    (found,) = (json.loads(p.read_text()) for p in store.folder.glob("*.json"))
    assert found["error"]["message"] == (
        "this rank was given no secret to know the others by; a job that an earlier version of "
        "mpbench queued has none: submit the case again"
    )
    assert "Traceback" not in done.stderr


def test_a_job_whose_batch_is_gone_says_so_and_measures_nothing(store):
    done = work(store.batches / "gone.json")
    assert done.returncode == 1
    assert "gone.json is gone or holds no case 0" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_restarted_job_that_had_finished_measures_nothing_again(store):
    assignment = assigned(store, 2)
    path = write_batch(store, [assignment])
    first = work(path, SLURM_GPUS_ON_NODE="2", **stand_in())
    before = store.result_path(assignment.case).read_bytes()
    again = work(path, SLURM_GPUS_ON_NODE="2", SLURM_RESTART_COUNT="1")
    assert first.returncode == 0
    assert "has its result from an attempt before" in again.stdout
    assert store.result_path(assignment.case).read_bytes() == before


def test_a_restarted_job_that_had_failed_measures_again(store, monkeypatch):
    monkeypatch.setenv("SLURM_RESTART_COUNT", "1")
    assignment = assigned(store, 2)
    given = result(**assignment.case.as_dict())
    job = msgspec.structs.replace(given.job, submitted_at=assignment.submitted_at)
    lost = CaseFailure(type=RANK_LOST, message="rank 1 on gpu2: fell silent")
    failed = msgspec.structs.replace(given, outcome="error", error=lost, job=job)
    for found, is_over in ((failed, False), (msgspec.structs.replace(given, job=job), True)):
        store.result_path(assignment.case).write_bytes(encode(found))
        assert Worker(assignment, SlurmEnvironment()).is_measured() == is_over


def test_a_batch_that_is_none_is_empty(tmp_path):
    (tmp_path / "b.json").write_bytes(encode(result(gpus=2)))
    assert read_batch(tmp_path / "b.json") == []
