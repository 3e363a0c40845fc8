"""What becomes of answers that a real Slurm gives only on a bad day."""

import os
import subprocess
import sys
import time

import msgspec
import pytest

from jobs.batch import Assignment, write_batch
from jobs.executor import NotNoted
from jobs.lock import Busy, results_lock
from jobs.planned import PlannedCase
from jobs.profile import Profile
from jobs.slurm import commands
from jobs.slurm.commands import current_user
from jobs.slurm.executor import SlurmExecutor
from jobs.slurm.job_status import to_cancel
from jobs.slurm.nodes import nodes_by_state
from jobs.slurm.poller import SlurmPoller
from jobs.slurm.queue import SEPARATOR
from jobs.slurm.sbatch import NotQueued
from jobs.slurm.states import is_stuck
from jobs.status.case_status import CaseStatus, Snapshot
from jobs.status.tracker import JobTracker
from study.case import Case
from study.errors import ConfigError
from study.paths import ROOT
from study.results.file import encode, read_result
from study.results.result import RANK_LOST, CaseFailure, Code, Job, Result
from study.storage.files import write_atomically
from study.storage.ledger import Ended, append, attempts_of_each_case, read
from study.storage.store import Store
from tests.jobs.fake_slurm import FakeSlurm, squeue_line
from tests.report import made_up

PROFILE = Profile(
    "mine", "cluster.yaml: profiles.mine", "slurm", "cuda", submitit={"timeout_min": 5}
)

MOMENT = "2020-01-01T10:00:00.000+00:00"


@pytest.fixture
def store(tmp_path):
    store = Store(tmp_path / "r", "mine")
    store.prepare()
    return store


@pytest.fixture
def slurm(tmp_path, monkeypatch):
    def make(accounting="none"):
        fake = FakeSlurm(tmp_path / "bin", accounting)
        monkeypatch.setenv("PATH", f"{fake.folder}:{os.environ['PATH']}")
        return fake

    return make


def submitted(store, job_id="17", gpus=2, **more):
    """A case that was submitted as this job, of a batch of its own; its batch's name."""
    batch = batch_of(store, job_id)
    given = {
        "batch": batch, "case": Case(depth=20, gpus=gpus), "grid": "g", "overrides": {},
        "device": "cuda", "executor": "slurm", "results": str(store.folder.parent),
        "profile": "mine", "timeout_min": 5, "user": current_user(), "cluster": "fake",
        "submitted_at": MOMENT,
    }  # fmt: skip
    assignment = Assignment(**given | more)
    write_batch(store, [assignment])
    append(store.submissions, assignment.submitted_as(job_id, log_of(store, job_id)))
    return batch


def log_of(store, job_id):
    """The log of the job that `submitted` submits."""
    return store.log_path(job_id, batch_of(store, job_id))


def batch_of(store, job_id):
    """The name of its batch."""
    return f"{store.token}-{job_id.replace('_', '')}"


def look(store, poller=None):
    """The status of the only case."""
    (seen,) = look_at_all(store, poller)
    return seen


def look_at_all(store, poller=None):
    """The status of every case, after a question to Slurm."""
    poller = poller or SlurmPoller()
    poller.refresh()
    return list(JobTracker(store, {"slurm": poller}).refresh().statuses.values())


def noted(store):
    """The outcome in the ledger, None where none was written."""
    ((attempt,),) = attempts_of_each_case(read(store.submissions)[0]).values()
    return None if attempt.ended is None else attempt.ended.outcome


def sacct_line(store, job_id, state, exit_code="0:0", submitted_s=1577872800, line=None):
    """What sacct says of the job that `submitted` submits; `line` is how it was submitted."""
    script = f"sbatch {store.batches}/{batch_of(store, job_id)}.sh" if line is None else line
    times = (str(submitted_s), str(submitted_s + 60))
    fields = (job_id, state, exit_code, "n1", "60", *times, current_user(), "mp-d20-g2", script)
    return SEPARATOR.join(fields) + "\n"


@pytest.mark.parametrize(
    ("state", "outcome"),
    [
        ("CANCELLED by 1000", "cancelled"),
        ("OUT_OF_ME+", "oom_host"),
        ("OUT_OF_MEMORY", "oom_host"),
        ("NODE_FAIL", "node_failed"),
        ("BOOT_FAIL", "node_failed"),
        ("PREEMPTED", "preempted"),
        ("TIMEOUT", "timeout"),
        ("DEADLINE", "timeout"),
        ("FAILED", "error"),
        ("COMPLETED", "lost"),
    ],
)
def test_a_state_in_the_words_of_sacct_is_an_outcome(store, slurm, state, outcome):
    slurm("slurmdbd").answer("sacct", sacct_line(store, "17", state))
    submitted(store)
    seen = look(store)
    assert (seen.outcome, seen.told_by) == (outcome, "sacct")
    assert noted(store) == outcome


@pytest.mark.parametrize(
    ("state", "log", "outcome"),
    [
        ("NODE_FAIL", "", "node_failed"),
        ("CANCELLED", "", "cancelled"),
        ("TIMEOUT", "", "timeout"),
        ("FAILED", "slurmstepd: error: Detected 1 oom_kill event in StepId=17.0.", "oom_host"),
        ("FAILED", "srun: error: gpu2: tasks 8-9: Killed", "error"),
        ("FAILED", "slurmstepd: error: *** STEP 17.0 ON gpu1 CANCELLED AT 2020 ***", "error"),
    ],
)
def test_a_result_that_only_misses_a_rank_gives_way_to_who_knows_why(
    store, slurm, state, log, outcome
):
    batch = submitted(store)
    slurm().answer("squeue", squeue_line("17", state, f"c@{batch}"))
    log_of(store, "17").write_text(f"{log}\n")
    lost = CaseFailure(type=RANK_LOST, message="rank 9 on gpu2: fell silent")
    write(store, error=lost)
    for _ in range(2):
        seen = look(store)
        assert (seen.outcome, noted(store)) == (outcome, outcome)
        assert "rank 9 on gpu2: fell silent" in seen.why
    assert store.result_path(Case(depth=20, gpus=2)).exists() == (outcome == "error")


def test_what_a_rank_says_of_itself_stays_whatever_slurm_says(store, slurm):
    batch = submitted(store)
    slurm().answer("squeue", squeue_line("17", "NODE_FAIL", f"c@{batch}"))
    write(store, error=CaseFailure(type="RuntimeError", message="no"))
    assert (look(store).outcome, noted(store)) == ("error", "error")


def write(store, error):
    """The result of the case that `submitted` submits, failed so."""
    job = Job(
        executor="slurm", slurm_job_id="17", requested_gpus=2, allocated_gpus=2, visible_gpus=2,
        submitted_at=MOMENT, started_at=MOMENT, finished_at=MOMENT,
    )  # fmt: skip
    case = Case(depth=20, gpus=2)
    result = Result(
        case=case, case_id=case.case_id, outcome="error", error=error, emulated=False,
        placement=None, measurement=None, transfers=None, ceilings=None, environment=None,
        job=job, code=Code(commit=None, dirty=None),
    )  # fmt: skip
    store.result_path(case).write_bytes(encode(result))


def test_what_nobody_knows_is_lost_and_so_it_stays(store, slurm):
    slurm()
    submitted(store)
    seen = look(store)
    assert (seen.outcome, seen.state, seen.is_live) == ("lost", None, False)
    assert noted(store) == "lost"


def test_while_sacct_is_down_a_lost_case_is_shown_and_not_written_down(store, slurm):
    fake = slurm("slurmdbd")
    fake.answer("sacct", "", stderr="sacct: error: Connection refused", code=1)
    submitted(store)
    seen = look(store)
    assert seen.outcome == "lost"
    assert "sacct does not answer" in seen.why
    assert noted(store) is None
    fake.answer("sacct", sacct_line(store, "17", "TIMEOUT"))
    assert look(store).outcome == "timeout"
    assert noted(store) == "timeout"


@pytest.mark.parametrize("end", ["17\x1fTIME", "17" + 10 * "\x1fmore" + "\n"])
def test_an_answer_of_sacct_that_breaks_off_is_none(store, slurm, end):
    slurm("slurmdbd").answer("sacct", end)
    submitted(store)
    assert "sacct does not answer" in look(store).why


def test_a_job_of_another_time_with_the_same_id_is_another(store, slurm):
    other = sacct_line(store, "17", "TIMEOUT", line="sbatch other.sh")
    slurm("slurmdbd").answer("sacct", other)
    submitted(store)
    assert look(store).told_by == "disk"


def test_what_only_the_database_calls_running_is_lost(store, slurm):
    slurm("slurmdbd").answer("sacct", sacct_line(store, "17", "RUNNING"))
    submitted(store)
    assert look(store).outcome == "lost"


def test_a_log_tells_where_slurm_has_forgotten(store, slurm):
    slurm()
    submitted(store)
    line = (
        "slurmstepd: error: *** JOB 17 ON n1 CANCELLED AT 2030-01-01T10:00:00 DUE TO TIME LIMIT ***"
    )
    log_of(store, "17").write_text(f"timing 1/3\n{line}\n")
    assert look(store).outcome == "timeout"


def test_what_a_program_prints_is_no_word_of_slurm(store, slurm):
    slurm()
    submitted(store)
    log_of(store, "17").write_text("I was CANCELLED AT noon DUE TO TIME LIMIT, oom-kill\n")
    assert look(store).outcome == "lost"


def test_only_the_last_attempt_in_a_log_tells(store, slurm):
    slurm()
    submitted(store)
    first = "slurmstepd: error: *** JOB 17 ON n1 CANCELLED AT now DUE TO NODE FAILURE ***"
    log_of(store, "17").write_text(f"{first}\nmpbench: attempt 2 of job 17 on n2\n")
    assert look(store).outcome == "lost"


@pytest.mark.parametrize("cut", [5, 20, -1])
def test_an_answer_of_squeue_that_breaks_off_concludes_nothing(store, slurm, cut):
    batch = submitted(store)
    slurm().answer("squeue", squeue_line("17", "RUNNING", f"d20-g2@{batch}")[:cut])
    poller = SlurmPoller()
    seen = look(store, poller)
    assert (seen.outcome, seen.is_live) == (None, True)
    assert "breaks off" in poller.problem
    assert noted(store) is None


def test_a_slow_controller_is_waited_for_no_longer_than_the_bound(store, slurm, monkeypatch):
    submitted(store)
    slurm().answer("squeue", "", delay_s=30)
    monkeypatch.setattr(commands, "TIMEOUT_S", 0.5)
    poller = SlurmPoller()
    seen = look(store, poller)
    assert "no answer in 0.5 s" in poller.problem
    assert (seen.outcome, seen.is_live) == (None, True)


def test_squeue_is_asked_for_all_jobs_at_once_and_sacct_at_most_every_half_minute(store, slurm):
    fake = slurm("slurmdbd")
    fake.answer("sacct", "", stderr="sacct: error: Connection refused", code=1)
    for number in range(1, 21):
        submitted(store, job_id=str(100 + number), gpus=number)
    poller = SlurmPoller()
    for _ in range(3):
        assert len(look_at_all(store, poller)) == 20
    assert len(fake.calls("squeue")) == 2 * 3  # once more for jobs that it does not show
    assert len(fake.calls("sacct")) == 1


def test_a_job_that_goes_missing_between_two_questions_to_sacct_is_not_yet_lost(store, slurm):
    fake = slurm("slurmdbd")
    fake.answer("sacct", sacct_line(store, "17", "TIMEOUT"))
    submitted(store, "17", gpus=2)
    batch = submitted(store, "18", gpus=3)
    fake.answer("squeue", squeue_line("18", "RUNNING", f"d20-g3@{batch}"))
    poller = SlurmPoller()
    assert [seen.outcome for seen in look_at_all(store, poller)] == ["timeout", None]
    fake.answer("squeue", "")
    _, missing = look_at_all(store, poller)
    assert (missing.outcome, missing.is_live, missing.reason) == (None, True, "sacct will be asked")


def test_a_comment_of_another_job_may_hold_anything(store, slurm):
    batch = submitted(store)
    foreign = squeue_line("5", "RUNNING", "two\nlines\x1fand a mark")
    slurm().answer("squeue", foreign + squeue_line("17", "RUNNING", f"d20-g2@{batch}"))
    assert look(store).state == "RUNNING"


def test_an_older_job_that_still_lives_counts_more_than_a_newer_one_that_has_ended(store, slurm):
    old = submitted(store, "17")
    submitted(store, "18")
    slurm().answer("squeue", squeue_line("17", "RUNNING", f"d20-g2@{old}"))
    seen = look(store)
    assert (seen.submission.job_id, seen.is_live) == ("17", True)


def test_what_was_noted_as_ended_lives_if_slurm_still_has_it(store, slurm):
    fake = slurm()
    batch = submitted(store)
    assert look(store).outcome == "lost"
    fake.answer("squeue", squeue_line("17", "PENDING", f"d20-g2@{batch}"))
    seen = look(store)
    assert (seen.outcome, seen.is_live) == (None, True)
    fake.answer("squeue", squeue_line("17", "TIMEOUT", f"d20-g2@{batch}"))
    assert look(store).outcome == "timeout"
    assert noted(store) == "timeout"


def test_an_empty_answer_of_squeue_is_not_believed_once(store, slurm):
    fake = slurm()
    batch = submitted(store)
    fake.answer("squeue", squeue_line("17", "PENDING", f"x@{batch}", reason="Resources"))
    fake.forget_once("squeue")
    seen = look(store)
    assert (seen.state, seen.outcome, seen.is_live) == ("PENDING", None, True)


def test_a_ledger_that_was_lost_is_found_again_in_the_batches(store, slurm):
    fake = slurm()
    fake.answer("sbatch", "Please wait for job 350.\nSubmitted batch job 23\n")
    submit_one(store)
    store.submissions.unlink()
    line = (
        "slurmstepd: error: *** JOB 23 ON n1 CANCELLED AT 2020-01-01T10:00:00 DUE TO TIME LIMIT ***"
    )
    (script,) = store.batches.glob("*.23.sh")
    store.log_path("23", script.name.partition(".")[0]).write_text(line)
    seen = look(store)
    assert (seen.submission.job_id, seen.outcome) == ("23", "timeout")


def test_the_newest_attempt_is_the_one_submitted_last_wherever_its_line_stands(store, slurm):
    slurm()
    submitted(store, "18", number=2)
    submitted(store, "17", number=1)
    assert look(store).submission.job_id == "18"


def test_the_newest_attempt_is_the_one_submitted_last_whatever_the_clocks_said(store, slurm):
    slurm("slurmdbd").answer("sacct", sacct_line(store, "18", "TIMEOUT"))
    submitted(store, "17", number=1, submitted_at="2020-01-01T12:00:00.000+00:00")
    append(store.submissions, ended_as(store, "17", "cancelled"))
    submitted(store, "18", number=2, submitted_at="2020-01-01T10:00:00.000+00:00")
    seen = look(store)
    assert (seen.submission.job_id, seen.outcome) == ("18", "timeout")
    assert read(store.submissions)[0][-1].job_id == "18"


def ended_as(store, job_id, outcome):
    """The ledger's line of how a job of `submitted` ended."""
    return Ended(
        case_id=Case(depth=20, gpus=2).case_id, job_id=job_id, batch=batch_of(store, job_id),
        outcome=outcome, state=None, reason="", nodes="", elapsed_s=None, told_by="squeue",
        seen_at=MOMENT,
    )  # fmt: skip


def test_an_older_lost_job_does_not_hide_how_a_newer_one_ended(store, slurm):
    old = submitted(store, "17")
    slurm().answer("squeue", squeue_line("17", "COMPLETED", f"d20-g2@{old}"))
    assert look(store).outcome == "lost"
    lines = len(store.submissions.read_text().splitlines())
    assert look(store).outcome == "lost"
    assert len(store.submissions.read_text().splitlines()) == lines
    submitted(store, "18", submitted_at="2020-01-01T11:00:00.000+00:00")
    log_of(store, "18").write_text("slurmstepd: error: *** JOB 18 ON n1 x DUE TO TIME LIMIT ***\n")
    seen = look(store)
    assert (seen.submission.job_id, seen.outcome) == ("18", "timeout")


def test_an_end_counts_though_the_line_of_its_job_was_found_again_behind_it(store, slurm):
    slurm("slurmdbd").answer("sacct", sacct_line(store, "17", "TIMEOUT"))
    submitted(store)
    assert look(store).outcome == "timeout"
    first, second = store.submissions.read_text().splitlines()
    store.submissions.write_text(f"{second}\n{first}\n")
    assert look(store).outcome == "timeout"


def test_the_lock_lasts_as_long_as_an_sbatch_that_outlives_us(store, slurm):
    fake = slurm()
    ready = fake.folder / "ready"
    fake.write("sbatch", f"touch {ready}; sleep 60")
    code = (
        "from pathlib import Path\nfrom tests.jobs.test_slurm_answers import *\n"
        f"store = Store(Path({str(store.folder.parent)!r}), 'mine')\n"
        "with results_lock(store): submit_one(store)"
    )
    process = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stderr=subprocess.DEVNULL)
    while not ready.exists():
        assert process.poll() is None
        time.sleep(0.05)
    process.kill()
    process.wait()
    with pytest.raises(Busy), results_lock(store):
        pass


@pytest.mark.parametrize(
    ("job", "state", "outcome"),
    [("17_[1%4]", "CANCELLED by 0", "error"), ("17_0", "TIMEOUT", "timeout")],
)
def test_what_sacct_says_of_a_whole_array_holds_for_no_element_that_ran(
    store, slurm, job, state, outcome
):
    line = f"sbatch {store.batches}/{store.token}-170.sh"
    slurm("slurmdbd").answer("sacct", sacct_line(store, job, state, line=line))
    submitted(store, "17_0")
    log_of(store, "17_0").write_text("mpbench: d20-g2 failed: error: no\n")
    seen = look(store)
    assert (seen.outcome, seen.submission.job_id) == (outcome, "17_0")


def test_an_element_that_never_started_ends_under_its_own_id(store, slurm):
    line = f"sbatch {store.batches}/{store.token}-170.sh"
    whole = sacct_line(store, "17_[0-3]", "CANCELLED by 0", line=line)
    slurm("slurmdbd").answer("sacct", whole)
    submitted(store, "17_0")
    seen = look(store)
    assert (seen.outcome, seen.submission.job_id) == ("cancelled", "17_0")
    assert read(store.submissions)[1] == 0


def test_local_jobs_are_not_cancelled_with_scancel(store, slurm):
    slurm()
    submission = msgspec.structs.replace(attempt_of(store).submission, executor="local")
    seen = CaseStatus(submission=submission, state="RUNNING", is_live=True)
    assert to_cancel([seen], Snapshot(), store.token) == []


def attempt_of(store):
    submitted(store)
    ((attempt,),) = attempts_of(store)
    return attempt


def test_a_pipe_in_the_place_of_a_log_hangs_nobody(store, slurm):
    slurm()
    submitted(store)
    os.mkfifo(log_of(store, "17"))
    assert look(store).outcome == "lost"


def test_a_full_disk_at_a_submission_leaves_the_old_result_in_its_place(store, slurm, monkeypatch):
    slurm()
    case = Case(depth=20, gpus=2)
    store.result_path(case).write_text("old")

    def full(path, data, mode):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("jobs.slurm.sbatch.write_atomically", full)
    with pytest.raises(OSError, match="No space"):
        submit_one(store)
    assert store.result_path(case).read_bytes() == b"old"


def test_another_job_with_our_id_is_not_ours(store, slurm):
    submitted(store)
    slurm().answer("squeue", squeue_line("17", "RUNNING", "training of somebody@else"))
    assert look(store).outcome == "lost"


def test_a_job_of_another_cluster_is_not_judged_from_here(store, slurm):
    fake = slurm()
    fake.config.write_text(fake.config.read_text().replace("= fake", "= other"))
    submitted(store)
    seen = look(store)
    assert (seen.outcome, seen.is_live) == (None, True)
    assert "ask on fake" in seen.reason


@pytest.mark.parametrize("reason", ["JobHeldUser", "PartitionTimeLimit", "BadConstraints"])
def test_a_job_that_waits_for_a_person_is_stuck_and_has_no_outcome(store, slurm, reason):
    batch = submitted(store)
    slurm().answer("squeue", squeue_line("17", "PENDING", f"d20-g2@{batch}", reason))
    seen = look(store)
    assert (seen.is_stuck, seen.outcome) == (True, None)


def submit_one(store):
    item = PlannedCase(case=Case(depth=20, gpus=2), grid="g")
    return list(SlurmExecutor(PROFILE, store).submit([item], running=()))


def test_a_job_that_sbatch_queued_and_failed_to_say_so_is_found(store, slurm):
    fake = slurm()
    queued = fake.folder / "squeue.out"
    comment = r"sed -n 's/^#SBATCH --comment=//p' $1"
    before, after = squeue_line("23", "PENDING", "@").rstrip("\n").split("@")
    fake.write(
        "sbatch",
        f"printf '%s%s%s\\n' '{before}' \"$({comment})\" '{after}' > {queued}\n"
        "echo 'sbatch: error: Socket timed out on send/recv operation' >&2; exit 1",
    )
    ((submission,),) = submit_one(store)
    assert submission.job_id == "23"
    assert [attempt.submission for (attempt,) in attempts_of(store)] == [submission]


def attempts_of(store):
    return attempts_of_each_case(read(store.submissions)[0]).values()


@pytest.mark.parametrize(("answer", "code"), [("", 1), ("", 0), ("Done.", 0)])
def test_an_sbatch_that_says_nothing_useful_is_an_error_and_no_job(store, slurm, answer, code):
    slurm().answer("sbatch", answer, stderr="Socket timed out" if code else "", code=code)
    with pytest.raises(NotQueued):
        submit_one(store)
    assert read(store.submissions) == ([], 0)
    assert list(store.logs.glob("submission_file_*")) == []


def test_when_nobody_says_whether_a_job_was_queued_the_next_run_will_find_it(store, slurm):
    fake = slurm()
    fake.answer("sbatch", "", stderr="Unable to contact slurm controller", code=1)
    fake.answer("squeue", "", stderr="Unable to contact slurm controller", code=1)
    with pytest.raises(ConfigError, match="the next run finds it"):
        submit_one(store)
    (batch,) = store.batches.glob("*.json")
    fake.answer("squeue", squeue_line("23", "PENDING", f"d20-g2@{batch.stem}"))
    seen = look(store)
    assert (seen.submission.job_id, seen.state) == ("23", "PENDING")
    assert msgspec.structs.asdict(seen.submission)["batch"] == batch.stem


def test_a_job_is_ours_whatever_became_of_its_comment(store, slurm):
    batch = submitted(store)
    command = f"{store.batches}/{batch}.sh"
    slurm().answer("squeue", squeue_line("17", "RUNNING", "do not kill, Ada", command=command))
    seen = look(store)
    assert (seen.state, seen.is_live, seen.outcome) == ("RUNNING", True, None)
    assert to_cancel([seen], Snapshot(), store.token) == [seen.submission]


def test_a_job_without_our_marks_is_ours_by_its_id_name_user_and_slurms_clock(store, slurm):
    submitted(store, slurm_clock_s=1000)
    fake = slurm()
    fake.answer("squeue", squeue_line("17", "RUNNING", "-", submitted="1001"))
    assert look(store).state == "RUNNING"


@pytest.mark.parametrize("other", [{"submitted": "999"}, {"name": "mp-d8-g2"}])
def test_a_job_without_our_marks_of_another_name_or_time_is_not_ours(store, slurm, other):
    submitted(store, slurm_clock_s=1000)
    slurm().answer("squeue", squeue_line("17", "RUNNING", "-", **({"submitted": "1001"} | other)))
    assert look(store).state is None


def test_an_old_sacct_without_submit_lines_tells_by_id_name_user_and_slurms_clock(store, slurm):
    fake = slurm("slurmdbd")
    row = sacct_line(store, "17", "TIMEOUT", submitted_s=1001, line="").rstrip("\n\x1f")
    fake.write(
        "sacct",
        'case "$*" in *SubmitLine*) echo "Invalid field requested: "SubmitLine"" >&2; exit 1;;\n'
        f"*) printf '%s\\n' '{row}';; esac",
    )
    submitted(store, slurm_clock_s=1000)
    assert look(store).outcome == "timeout"


def test_a_result_on_disk_does_not_wait_for_sacct(store, slurm):
    fake = slurm("slurmdbd")
    submitted(store)
    write(store, error=CaseFailure(type="RuntimeError", message="no"))
    seen = look(store)
    assert (seen.outcome, seen.is_live, noted(store)) == ("error", False, "error")
    assert fake.calls("sacct") == []


@pytest.mark.parametrize(
    ("state", "reason", "log"),
    [
        ("FAILED", "JobLaunchFailure", ""),
        ("FAILED", "NonZeroExitCode", "slurmstepd-n1: error: execve(): /x/python: No such file"),
        ("FAILED", "NonZeroExitCode", "slurmstepd-n1: error: couldn't chdir to `/x': No such"),
        ("FAILED", "NonZeroExitCode", "/spool/slurm_script: line 20: srun: command not found"),
    ],
)
def test_a_node_that_cannot_launch_a_job_is_node_failed_in_the_words_that_tell(
    store, slurm, state, reason, log
):
    batch = submitted(store)
    slurm().answer("squeue", squeue_line("17", state, f"c@{batch}", reason))
    log_of(store, "17").write_text(f"{log}\nsrun: error: n1: task 0: Exited with exit code 2\n")
    seen = look(store)
    assert seen.outcome == "node_failed"
    assert log in seen.why


def test_the_exit_code_of_a_job_that_was_not_launched_is_node_failed(store, slurm):
    slurm("slurmdbd").answer("sacct", sacct_line(store, "17", "FAILED", "0:53"))
    submitted(store)
    assert look(store).outcome == "node_failed"


@pytest.mark.parametrize("state", ["COMPLETED", "FAILED"])
def test_a_result_may_be_seen_late_and_until_then_its_case_is_not_lost(store, slurm, state):
    batch = submitted(store)
    fake = slurm()
    fake.answer("squeue", squeue_line("17", state, f"c@{batch}", ended="1893455950"))
    seen = look(store)
    assert (seen.outcome, seen.is_live, seen.reason) == (None, True, "waiting for its result")
    assert to_cancel([seen], Snapshot(), store.token) == []
    fake.answer("squeue", squeue_line("17", state, f"c@{batch}", ended="1893455930"))
    assert look(store).outcome == ("lost" if state == "COMPLETED" else "error")


def test_a_process_that_was_killed_has_no_late_result(store, slurm):
    submitted(store)
    line = sacct_line(store, "17", "FAILED", "137:0", submitted_s=1893455900)
    slurm("slurmdbd").answer("sacct", line)
    assert look(store).outcome == "error"


def test_a_job_that_was_cancelled_while_suspended_did_not_run_out_of_memory(store, slurm):
    slurm("slurmdbd").answer("sacct", sacct_line(store, "17", "CANCELLED by 0", "0:9"))
    submitted(store)
    seen = look(store)
    assert seen.outcome == "cancelled"
    assert "SIGKILL" in seen.why
    assert "memory" not in seen.why


def test_every_live_attempt_of_a_case_is_cancelled(store, slurm):
    first, second = submitted(store, "17", number=1), submitted(store, "18", number=2)
    lines = squeue_line("17", "RUNNING", f"c@{first}") + squeue_line("18", "PENDING", f"c@{second}")
    slurm().answer("squeue", lines)
    poller = SlurmPoller()
    poller.refresh()
    view = JobTracker(store, {"slurm": poller}).refresh()
    jobs = to_cancel(list(view.statuses.values()), view, store.token)
    assert sorted(submission.job_id for submission in jobs) == ["17", "18"]


def test_a_ledger_that_takes_no_line_is_told_with_the_job_that_is_queued(store, slurm, monkeypatch):
    slurm().answer("sbatch", "Submitted batch job 23\n")

    def full(ledger, *events):
        raise OSError(28, "No space left on device", str(ledger))

    monkeypatch.setattr("jobs.slurm.executor.append", full)
    with pytest.raises(NotNoted, match=r"submissions.jsonl: No space.*; job 23 is queued") as error:
        submit_one(store)
    assert [submission.job_id for submission in error.value.submissions] == ["23"]


def test_who_holds_the_lock_is_named(store):
    holder = rf"process {os.getpid()} on .*wait for it to end"
    with results_lock(store), pytest.raises(Busy, match=holder), results_lock(store):
        pass


def test_what_slurm_said_of_an_end_holds_though_it_forgets_the_job(store, slurm):
    batch = submitted(store)
    fake = slurm()
    fake.answer("squeue", squeue_line("17", "COMPLETED", f"c@{batch}", ended="1893455990"))
    poller = SlurmPoller()
    assert look(store, poller).reason == "waiting for its result"
    fake.answer("squeue", "")
    assert look(store, poller).reason == "waiting for its result"


def test_a_result_counts_though_another_cluster_would_have_to_be_asked(store, slurm):
    slurm().config.write_text("ClusterName = other\n")
    submitted(store)
    assert look(store).is_live
    write(store, error=CaseFailure(type="RuntimeError", message="no"))
    assert (look(store).outcome, noted(store)) == ("error", "error")


def test_without_slurm_on_this_machine_a_job_is_never_seen_to_end(store, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    submitted(store)
    seen = look(store)
    assert (seen.is_live, seen.is_stuck) == (True, True)


@pytest.mark.parametrize(
    "reason",
    ["QOSMaxMemoryPerJob", "QOSMaxGRESPerJob", "AssocMaxNodePerJobLimit", "MaxMemPerLimit"],
)
def test_a_job_above_a_limit_for_each_job_is_stuck(reason):
    assert is_stuck("PENDING", reason)
    assert not is_stuck("PENDING", "QOSMaxJobsPerUserLimit")
    assert not is_stuck("PENDING", "AssocGrpGRES")


@pytest.mark.parametrize(
    ("word", "state"),
    [("mixed-", "mixed"), ("idle~", "idle"), ("allocated$", "allocated"), ("idle*", "idle*")],
)
def test_the_marks_behind_a_nodes_state_are_no_part_of_it(slurm, word, state):
    slurm().answer("sinfo", f"gpu1 {word}\n")
    assert nodes_by_state("gpu") == {"gpu1": state}


def test_only_the_result_of_the_job_that_somebody_knows_more_of_is_put_aside(store, slurm):
    measured = made_up.result(depth=20, gpus=2)
    case = measured.case
    made_up.write(store.folder.parent, store.profile, measured)
    batch = submitted(store, case=case)
    slurm().answer("squeue", squeue_line("17", "CANCELLED", f"c@{batch}"))
    lost = CaseFailure(type=RANK_LOST, message="rank 1 on gpu2: fell silent")
    failed = msgspec.structs.replace(
        measured, outcome="error", error=lost, measurement=None,
        job=msgspec.structs.replace(measured.job, submitted_at=MOMENT),
    )  # fmt: skip
    write_atomically(store.failed_path(case, batch), encode(failed))
    for _ in range(2):
        seen = look(store)
        assert (seen.outcome, seen.has_earlier_result) == ("cancelled", True)
    assert read_result(store.result_path(case)).outcome == "ok"
