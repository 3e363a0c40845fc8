"""When jobs would start: as Slurm estimates it, for each number of GPUs, beside what they cost."""

import os
import time

import pytest

from jobs.executors import executor_of
from jobs.planned import PlannedCase
from jobs.profile import Profile
from jobs.terminal.messages import print_request
from study.case import Case
from study.storage.store import Store
from tests.jobs.fake_slurm import FakeSlurm

PROFILE = Profile(
    "mine", "cluster.yaml: profiles.mine", "slurm", "cpu", gpus_per_node=8,
    submitit={"timeout_min": 30},
)  # fmt: skip
CASES = [PlannedCase(case=Case(depth=20, gpus=gpus), grid="g") for gpus in (2, 2, 5)]
NOW = 1893456000  # the clock of the pretended Slurm


@pytest.fixture
def slurm(tmp_path, monkeypatch):
    fake = FakeSlurm(tmp_path / "bin")
    monkeypatch.setenv("PATH", f"{fake.folder}:{os.environ['PATH']}")
    with monkeypatch.context() as there:
        there.setenv("TZ", "UTC")
        time.tzset()
        yield fake
    time.tzset()


def says(slurm, *when):
    """Let sbatch estimate these starts, one after another by the number of GPUs."""
    lines = "\n".join(
        f"*gpus-per-node={gpus}*) echo 'sbatch: Job 7 to start at {start} using 2 processors on "
        "nodes n1 in partition gpu' >&2;;"
        for gpus, start in zip((2, 5), when, strict=True)
    )
    slurm.write("sbatch", f'case "$(cat)" in\n{lines}\nesac')


def starts(tmp_path, planned=CASES):
    return executor_of(PROFILE, Store(tmp_path / "r", "mine")).starts(planned)


def test_slurms_estimate_is_told_by_its_own_clock(slurm, tmp_path):
    says(slurm, NOW - 3, NOW + 7800)
    assert starts(tmp_path) == {2: 0.0, 5: 7800.0}


def test_a_slurm_that_writes_dates_is_understood(slurm, tmp_path):
    says(slurm, "2030-01-01T00:12:00", "2030-01-02T00:00:00")
    assert starts(tmp_path) == {2: 720.0, 5: 86400.0}


@pytest.mark.parametrize("word", ["Unknown", "N/A", "2030-13-45"])
def test_what_is_no_time_is_no_start(slurm, tmp_path, word):
    says(slurm, word, NOW)
    assert starts(tmp_path) == {5: 0.0}


def test_a_check_before_submitting_asks_no_second_time(slurm, tmp_path):
    says(slurm, NOW, NOW)
    executor = executor_of(PROFILE, Store(tmp_path / "r", "mine"))
    executor.check(CASES)
    asked = (slurm.folder / "sbatch.calls").read_text()
    assert executor.starts(CASES) == {2: 0.0, 5: 0.0}
    assert (slurm.folder / "sbatch.calls").read_text() == asked
    assert asked == "--test-only\n" * 2  # once for each number of GPUs


def test_a_dry_run_tells_what_slurm_would_refuse(slurm, tmp_path, capsys):
    slurm.answer("sbatch", "", stderr="allocation failure: Invalid account\n", code=1)
    assert starts(tmp_path) == {}
    said = capsys.readouterr().err
    assert "note: Slurm would refuse 5 GPUs: allocation failure: Invalid account\n" in said


def test_where_no_slurm_answers_nothing_is_said(slurm, tmp_path, monkeypatch):
    slurm.write("scontrol", "exit 1")
    assert starts(tmp_path) == {}
    monkeypatch.setenv("PATH", str(tmp_path))
    assert starts(tmp_path) == {}


def test_each_number_of_gpus_has_its_cost_and_its_start(capsys):
    print_request(CASES, PROFILE, {2: 20.0, 5: 7800.0})
    assert capsys.readouterr().out == (
        "At most 4.50 GPU-hours: 9 GPUs x 30 min.\n"
        "  2 GPUs each: 2 jobs, at most 2.00 GPU-hours; Slurm would start one now\n"
        "  5 GPUs each: 1 job, at most 2.50 GPU-hours; Slurm would start one in about 2 h 10 min\n"
    )


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "now"), (720, "in about 12 min"), (3600, "in about 1 h"), (280_000, "in about 3 d 5 h")],
)
def test_a_wait_has_two_units_at_most(capsys, seconds, words):
    print_request(CASES[:1], PROFILE, {2: seconds})
    assert capsys.readouterr().out.endswith(f"would start one {words}\n")


def test_without_an_estimate_the_cost_stands_alone(capsys):
    print_request(CASES, PROFILE, {})
    assert capsys.readouterr().out == "At most 4.50 GPU-hours: 9 GPUs x 30 min.\n"
