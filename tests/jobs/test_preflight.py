"""What is said of a job that Slurm would refuse."""

import os

import pytest

from jobs.planned import PlannedCase
from jobs.profile import Profile
from jobs.slurm.executor import SlurmExecutor
from study.case import Case
from study.errors import ConfigError
from study.storage.store import Store
from tests.jobs.fake_slurm import FakeSlurm

PROFILE = Profile(
    "mine", "cluster.yaml: profiles.mine", "slurm", "cuda", gpus_per_node=8,
    submitit={"timeout_min": 5, "slurm_partition": "gpus"},
)  # fmt: skip


@pytest.fixture
def slurm(tmp_path, monkeypatch):
    fake = FakeSlurm(tmp_path / "bin")
    monkeypatch.setenv("PATH", f"{fake.folder}:{os.environ['PATH']}")
    return fake


def refusal(slurm, tmp_path, words):
    """What is said where sbatch says these words."""
    slurm.answer("sbatch", "", stderr=f"sbatch: error: {words}\n", code=1)
    batch = [PlannedCase(case=Case(depth=20, gpus=2), grid="g")]
    with pytest.raises(ConfigError) as caught:
        SlurmExecutor(PROFILE, Store(tmp_path / "r", "mine")).check(batch)
    return str(caught.value)


def test_a_wrong_partition_lists_those_that_exist(slurm, tmp_path):
    slurm.answer("sinfo", "gpu\ncpu\ngpu\n")  # a line for each partition and state of nodes
    said = refusal(slurm, tmp_path, "invalid partition specified: gpus")
    assert "invalid partition specified: gpus; partitions here: gpu, cpu; nothing was" in said


def test_partitions_that_slurm_does_not_tell_can_be_asked_for(slurm, tmp_path):
    slurm.answer("sinfo", "", stderr="no controller", code=1)
    said = refusal(slurm, tmp_path, "invalid partition specified: gpus")
    assert "specified: gpus; `sinfo` lists the partitions; nothing was submitted" in said


def test_partitions_are_listed_for_nothing_else(slurm, tmp_path):
    slurm.answer("sinfo", "gpu\n")
    said = refusal(slurm, tmp_path, "Invalid account or account/partition combination specified")
    assert said.count("partitions here") == 1  # one of both is wrong
    assert "partitions here" not in refusal(slurm, tmp_path, "Invalid feature specification")
