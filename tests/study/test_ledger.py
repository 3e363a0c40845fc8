"""The ledger of submissions: appended, never rewritten, and read as far as it can be."""

import msgspec
import pytest

from study.case import Case
from study.storage.ledger import (
    Attempt,
    Ended,
    Submission,
    append,
    attempts_of_each_case,
    read,
)

TWO, FIVE = Case(depth=20, gpus=2), Case(depth=20, gpus=5)


def submitted(case, job_id):
    return Submission(
        case=case,
        case_id=case.case_id,
        grid="task4",
        overrides={"dim": 4096, "split": "even"},
        executor="slurm",
        job_id=job_id,
        job_name=case.job_name,
        log="a.log",
        requested_gpus=case.gpus,
        timeout_min=None,
        submitted_at="2030-01-01T10:00:00.000+00:00",
    )


def ended(case, job_id):
    return Ended(
        case_id=case.case_id,
        job_id=job_id,
        batch="",
        outcome="timeout",
        state="TIMEOUT",
        reason="its time was up",
        nodes="gpu1",
        elapsed_s=60,
        told_by="squeue",
        seen_at="2030-01-01",
    )


EVENTS = [submitted(TWO, "1"), submitted(FIVE, "2"), ended(TWO, "1")]


@pytest.fixture
def ledger(tmp_path):
    path = tmp_path / "submissions.jsonl"
    for event in EVENTS:
        append(path, event)
    return path


def test_events_are_read_as_they_were_appended(ledger):
    assert read(ledger) == (EVENTS, 0)
    assert len(ledger.read_text().splitlines()) == 3


@pytest.mark.parametrize("job_id", ["17", "17_3", "node:4711", "1234.server-1", "job-7f9c"])
def test_the_ids_that_executors_give_are_read_again(ledger, job_id):
    append(ledger, submitted(TWO, job_id))
    events, broken = read(ledger)
    assert (events[-1].job_id, broken) == (job_id, 0)


@pytest.mark.parametrize("job_id", ["", "-17", "17 18", "../17", "17;ls", "17\n", "a:b"])
def test_what_would_not_be_read_again_is_not_written(ledger, job_id):
    before = ledger.read_bytes()
    with pytest.raises(ValueError, match="the ledger would not read job"):
        append(ledger, submitted(TWO, job_id))
    assert ledger.read_bytes() == before


def test_a_line_whose_schedule_is_none_costs_no_other(ledger):
    with ledger.open("ab") as file:
        line = msgspec.json.encode(submitted(TWO, "17"))
        file.write(line.replace(b'"naive"', b'"naive\\n"') + b"\n")
    assert read(ledger)[1] == 1


def test_no_ledger_is_an_empty_one(tmp_path):
    assert read(tmp_path / "none.jsonl") == ([], 0)


def test_a_broken_last_line_is_counted_and_costs_no_other(ledger):
    ledger.write_bytes(ledger.read_bytes()[:-10])
    assert read(ledger) == (EVENTS[:2], 1)


@pytest.mark.parametrize("line", [b"{}", b"null", b"\x00", b'{"event": "paused"}', b"not JSON"])
def test_a_broken_line_in_the_middle_costs_no_other(ledger, line):
    ledger.write_bytes(line + b"\n" + ledger.read_bytes())
    assert read(ledger) == (EVENTS, 1)


def test_empty_lines_are_not_broken_ones(ledger):
    ledger.write_bytes(b"\n" + ledger.read_bytes() + b"\n\n")
    assert read(ledger) == (EVENTS, 0)


def test_each_submission_is_an_attempt_and_knows_its_end():
    again = submitted(TWO, "3")
    assert attempts_of_each_case([*EVENTS, again]) == {
        TWO.case_id: [Attempt(EVENTS[0], EVENTS[2]), Attempt(again)],
        FIVE.case_id: [Attempt(EVENTS[1])],
    }


def test_a_submission_noted_twice_is_one_attempt_and_stays_ended():
    attempts = attempts_of_each_case([*EVENTS, EVENTS[0]])
    assert attempts[TWO.case_id] == [Attempt(EVENTS[0], EVENTS[2])]


def test_a_job_id_that_slurm_gives_again_is_another_attempt():
    first, again = (msgspec.structs.replace(submitted(TWO, "1"), batch=b) for b in ("a", "b"))
    assert attempts_of_each_case([first, again])[TWO.case_id] == [Attempt(first), Attempt(again)]


def test_many_events_are_appended_at_once(tmp_path):
    append(tmp_path / "l.jsonl", *EVENTS)
    assert read(tmp_path / "l.jsonl") == (EVENTS, 0)


def test_an_event_after_a_cut_off_line_is_not_lost(tmp_path):
    path = tmp_path / "cut-off.jsonl"
    path.write_bytes(b'{"event":"ended","rea')
    append(path, ended(TWO, "1"))
    assert read(path) == ([ended(TWO, "1")], 1)


@pytest.mark.parametrize(
    "line", [b'{"event":"ended","case_id":"\xff"}', b'{"event":"ended","x":' + b"[" * 100_000]
)
def test_a_line_that_is_no_json_at_all_is_counted(tmp_path, line):
    (tmp_path / "submissions.jsonl").write_bytes(line + b"\n")
    assert read(tmp_path / "submissions.jsonl") == ([], 1)


def test_a_job_of_a_version_with_other_ids_is_no_attempt_at_any_case():
    old = msgspec.structs.replace(submitted(TWO, "1"), case_id="d20-g2-00000000")
    found = attempts_of_each_case([old, submitted(FIVE, "2")])
    assert found == {FIVE.case_id: [Attempt(submitted(FIVE, "2"))]}
