"""Slurm's spellings of states, times and exit codes."""

import pytest

from jobs.job_log import LogCause, find_cause
from jobs.slurm.exit_cause import classify_exit
from jobs.slurm.queue import SlurmJob, exit_code_of, seconds_of
from jobs.slurm.states import FINAL, LIVE, exact_state, is_stuck
from study.outcome import OUTCOMES, parse_outcomes


@pytest.mark.parametrize(
    ("word", "state"),
    [
        ("RUNNING", "RUNNING"),
        ("CANCELLED by 1000", "CANCELLED"),
        ("CANCELLED+", "CANCELLED"),
        ("OUT_OF_ME+", "OUT_OF_MEMORY"),
        ("NODE_FAIL", "NODE_FAIL"),
        ("RE+", "RE+"),  # of several states, so of none
        ("NEW_WORD", "NEW_WORD"),
        ("", ""),
    ],
)
def test_a_state_is_read_in_each_of_its_spellings(word, state):
    assert exact_state(word) == state


def test_no_state_is_both_final_and_live():
    assert set(FINAL).isdisjoint(LIVE)


@pytest.mark.parametrize(
    ("clock", "seconds"),
    [("0:05", 5), ("1:02:03", 3723), ("2-00:00:01", 172_801), ("UNLIMITED", None), ("", None)],
)
def test_a_time_is_read_in_each_of_its_spellings(clock, seconds):
    assert seconds_of(clock) == seconds


def test_a_job_is_stuck_only_while_it_waits_for_a_person():
    assert is_stuck("PENDING", "launch failed requeued held")
    assert is_stuck("PENDING", "launch_failed_requeued_held")
    assert not is_stuck("PENDING", "Resources")
    assert not is_stuck("RUNNING", "JobHeldUser")
    assert is_stuck("REQUEUE_HOLD", "")


@pytest.mark.parametrize(
    ("text", "code"), [("0:53", "0:53"), ("768", "3:0"), ("9", "0:9"), ("0", "0:0"), ("N/A", None)]
)
def test_exit_codes_are_read_as_squeue_of_any_version_writes_them(text, code):
    assert exit_code_of(text) == code


def ended(state, exit_code="0:0", reason=""):
    return SlurmJob(
        job_id="17", user="ada", name="mp-d20-g2", batch="b", index=0, state=state, reason=reason,
        nodes="n1", elapsed_s=1, submitted_s=1, ended_s=2, exit_code=exit_code, told_by="squeue",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("code", "words"), [("0:9", "SIGKILL"), ("137:0", "SIGKILL"), ("139:0", "SIGSEGV")]
)
def test_a_signal_is_named_however_slurm_writes_it(code, words):
    outcome, why = classify_exit(ended("FAILED", code), None, "")
    assert outcome == "error"
    assert words in why


@pytest.mark.parametrize("state", sorted(FINAL))
@pytest.mark.parametrize("outcome", OUTCOMES)
def test_a_log_never_turns_an_end_into_a_measurement(state, outcome):
    found, _ = classify_exit(ended(state), LogCause(outcome, "a line"), "")
    assert found != "ok"


@pytest.mark.parametrize("state", ["NODE_FAIL", "TIMEOUT", "OUT_OF_MEMORY", "PREEMPTED"])
def test_a_clear_word_of_slurm_counts_more_than_the_log(state):
    assert classify_exit(ended(state), LogCause("error", "a line"), "")[0] == FINAL[state]


@pytest.mark.parametrize(
    ("line", "outcome"),
    [
        ("[rank 9] mpbench: rank 0: the first rank is gone", "error"),
        ("srun: error: gpu2: task 9: Killed", "error"),
        ("srun: error: gpu2: tasks 8-9,11: Exited with exit code 1", "error"),
        ("srun: error: gpu2: task 9: Out Of Memory", "oom_host"),
        ("[rank 9] mpbench: d8-g16-1 failed: error: no", "error"),
    ],
)
def test_what_a_log_tells_of_one_of_many_processes_is_found(tmp_path, line, outcome):
    log = tmp_path / "log"
    log.write_text(f"mpbench: attempt 1 of job 17 on gpu1\n[rank 3] some words\n{line}\n")
    assert find_cause(log) == LogCause(outcome, line)


@pytest.mark.parametrize(
    "left", ["2026-11-27T01:55:05.093+00:00 timing 1/1000", "mpbench: rank", "ok."]
)
@pytest.mark.parametrize(
    "said", ["srun: error: gpu1: task 0: Killed", "slurmstepd-n1: error: oom-kill"]
)
def test_a_word_of_slurm_counts_behind_half_a_line_that_a_killed_task_has_left(
    tmp_path, left, said
):
    log = tmp_path / "log"
    log.write_text(f"mpbench: attempt 1 of job 17 on gpu1\n{left}{said}\nsrun: Force Terminated\n")
    assert find_cause(log).line == said


def test_a_word_of_slurm_counts_where_it_comes_before_what_the_killed_task_has_printed(tmp_path):
    log, killed = tmp_path / "log", "srun: error: gpu1: task 0: Killed"
    log.write_text(f"{killed}\nmpbench: attempt 1 of job 17 on gpu1\n2026 timing 1/1000\n")
    assert find_cause(log) == LogCause("error", killed)
    # Of a later attempt it may be the end of the one before.
    log.write_text(f"{killed}\nmpbench: attempt 2 of job 17 on gpu1\n2026 timing 1/1000\n")
    assert find_cause(log) is None


@pytest.mark.parametrize("before", ["it said ", "'", "/usr/bin/", "my-", "="])
def test_a_word_of_slurm_that_a_program_repeats_tells_nothing(tmp_path, before):
    log = tmp_path / "log"
    log.write_text(f"{before}srun: error: gpu1: task 0: Killed\n")
    assert find_cause(log) is None


def test_of_many_processes_that_ended_the_log_tells_the_one_that_ended_the_others(tmp_path):
    log, killed, exited = tmp_path / "log", "task 0: Killed", "task 1: Exited with exit code 1"
    log.write_text(f"srun: error: gpu2: {exited}\nsrun: error: gpu1: {killed}\n")
    assert find_cause(log) == LogCause("error", f"srun: error: gpu1: {killed}")
    waited = "srun: First task exited 30s ago"
    log.write_text(f"srun: error: gpu2: {exited}\n{waited}\nsrun: error: gpu1: {killed}\n")
    assert find_cause(log) == LogCause("error", f"srun: error: gpu2: {exited}")


def test_failed_is_every_outcome_but_ok():
    assert parse_outcomes("failed", "--only") == set(OUTCOMES) - {"ok"}
    assert parse_outcomes("ok, timeout", "--only") == {"ok", "timeout"}
