"""A folder that somebody sent: looking at it writes nothing, and nothing in it is obeyed."""

import json
import os
import shutil
import subprocess
import sys

import msgspec
import pytest

from jobs.batch import Assignment, write_batch
from jobs.slurm.commands import current_user
from jobs.slurm.poller import SlurmPoller
from jobs.status.tracker import JobTracker
from study.case import Case
from study.errors import ConfigError
from study.storage.files import write_atomically
from study.storage.ledger import Ended, append, log_of, read
from study.storage.store import Store
from tests.conftest import PATIENCE_S, ROOT
from tests.jobs.fake_slurm import FakeSlurm, squeue_line

CASE = Case(depth=20, gpus=2)
COMMAND = "$(touch PWNED)"
LOOKS = {
    "status": ("submit.py", "--status"),
    "watch": ("submit.py", "--watch"),
    "cancel": ("submit.py", "--cancel", "--grid", "task4"),
    "collect": ("collect.py",),
    "compare": ("collect.py", "--compare", "RECEIVED"),
}


@pytest.fixture
def slurm(tmp_path, monkeypatch):
    fake = FakeSlurm(tmp_path / "bin")
    monkeypatch.setenv("PATH", f"{fake.folder}:{os.environ['PATH']}")
    return fake


def assignment(store, number, **changes):
    """What a job of this folder's batch of this number is to do."""
    given = {
        "batch": f"{store.token}-{number}", "case": CASE, "grid": COMMAND, "overrides": {},
        "device": "cpu", "executor": "slurm", "results": str(store.folder.parent),
        "profile": store.profile, "timeout_min": 5, "user": current_user(), "cluster": "fake",
        "submitted_at": "2030-01-01T10:00:00.000+00:00", "number": number,
    }  # fmt: skip
    return Assignment(**given | changes)


@pytest.fixture
def received(tmp_path, slurm):
    """A folder with a job that Slurm says has ended, and a batch that the ledger does not know."""
    sender = Store(tmp_path / "sender" / "results", "testcluster")
    sender.prepare()
    known, lost = assignment(sender, 1), assignment(sender, 2, case=Case(depth=20, gpus=5))
    for each in (known, lost):
        write_batch(sender, [each])
    (sender.batches / f"{lost.batch}.23.sh").write_text("#!/bin/sh\n")
    append(sender.submissions, known.submitted_as("17", sender.log_path("17", known.batch)))
    slurm.answer("squeue", squeue_line("17", "TIMEOUT", f"c@{known.batch}"))
    shutil.copytree(tmp_path / "sender" / "results", tmp_path / "received")
    return tmp_path / "received"


def look(received, *words):
    """Run one of the LOOKS on the folder."""
    words = [str(received) if word == "RECEIVED" else word for word in words]
    return subprocess.run(
        [sys.executable, *words, "--results", str(received)],
        cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_S,
    )  # fmt: skip


def everything_in(folder):
    """Every file below, with what it holds and when it was changed; links as links."""
    return {
        path: (path.lstat().st_mtime_ns, path.lstat().st_mode, path.is_file() and path.read_bytes())
        for path in folder.rglob("*")
    }


@pytest.mark.parametrize("words", LOOKS.values(), ids=LOOKS)
def test_looking_at_a_received_folder_writes_nothing(received, words):
    before = everything_in(received)
    done = look(received, *words)
    assert done.returncode in (0, 1), done.stderr
    assert everything_in(received) == before


def test_looking_at_a_folder_of_ones_own_notes_what_has_ended(tmp_path, received):
    look(tmp_path / "sender" / "results", "submit.py", "--status")
    events, _ = read(Store(tmp_path / "sender" / "results", "testcluster").submissions)
    assert [event.outcome for event in events if isinstance(event, Ended)] == ["timeout", "lost"]


@pytest.mark.parametrize("words", LOOKS.values(), ids=LOOKS)
@pytest.mark.parametrize("is_known", [True, False], ids=["ours by its path", "another's"])
def test_a_ledger_that_is_a_link_is_not_followed(received, tmp_path, words, is_known):
    shell = tmp_path / ".bashrc"
    shell.write_text("# mine\n")
    store = Store(received, "testcluster")
    store.submissions.unlink()
    store.submissions.symlink_to(shell)
    if is_known:  # the sender knows where it will lie
        planted = assignment(store, 3)
        write_batch(store, [planted])
        (store.batches / f"{planted.batch}.24.sh").touch()
    done = look(received, *words)
    assert "submissions.jsonl" in done.stderr
    assert "is a link" in done.stderr
    assert "Traceback" not in done.stderr
    assert shell.read_text() == "# mine\n"


def test_batches_of_another_folder_are_not_taken_for_jobs_of_this_one(received, slurm):
    store = Store(received, "testcluster")
    view = JobTracker(store, {"slurm": asked(SlurmPoller())}).refresh()
    assert list(view.statuses) == [CASE.case_id]


def asked(poller):
    poller.refresh()
    return poller


EVIL = {
    "elapsed_s": [10**15, -1],
    "nodes": ["n1\ntouch PWNED #", "-w", "n1 --wrap=x", "n1'\"", "../n1", "n1;id", "$(id)"],
    "job_id": ["17 18", "-u", "17\n18", "$(id)", "17;18", "all", "17_[1-9]", ""],
    "batch": ["../../x", "mpbench-00000000-1\n", "mpbench-0000000g-1", "/etc/passwd", "-x"],
}


@pytest.mark.parametrize(
    ("field", "text"), [(f, text) for f, texts in EVIL.items() for text in texts]
)
def test_a_line_with_what_slurm_never_writes_is_a_broken_line(tmp_path, field, text):
    ended = {
        "event": "ended", "case_id": CASE.case_id, "job_id": "17", "batch": "mpbench-00000000-1",
        "outcome": "node_failed", "state": "NODE_FAIL", "reason": "", "nodes": "n1",
        "elapsed_s": 1, "told_by": "squeue", "seen_at": "", "state_reason": "",
    }  # fmt: skip
    ledger = tmp_path / "submissions.jsonl"
    ledger.write_text(json.dumps(ended) + "\n" + json.dumps(ended | {field: text}) + "\n")
    events, broken = read(ledger)
    assert (len(events), broken) == (1, 1)


def test_a_log_outside_of_the_folder_is_neither_read_nor_shown(received, tmp_path, slurm):
    slurm.answer("squeue", "")
    secret = tmp_path / "secret.log"
    secret.write_text("mpbench: d1 failed: my secret\n")
    store = Store(received, "testcluster")
    (line, *_), _ = read(store.submissions)
    store.submissions.unlink()
    append(store.submissions, msgspec.structs.replace(line, log=str(secret)))
    done = look(received, "submit.py", "--watch")
    assert "my secret" not in done.stdout + done.stderr
    assert str(secret) not in done.stdout + done.stderr
    assert CASE.case_id in done.stdout


@pytest.mark.parametrize("name", ["logs", "progress"])
def test_a_log_or_progress_file_that_is_a_link_is_not_read(received, tmp_path, slurm, name):
    slurm.answer("squeue", "")
    secret = tmp_path / "secret"
    secret.write_text('mpbench: d1 failed: my secret\n{"phase": "my secret"}')
    store = Store(received, "testcluster")
    (line, *_), _ = read(store.submissions)
    paths = {"logs": log_of(line, store), "progress": store.progress_path(CASE, line.batch)}
    paths[name].symlink_to(secret)
    done = look(received, "submit.py", "--watch")
    assert "my secret" not in done.stdout + done.stderr


def test_a_log_of_another_name_is_not_read_through_a_linked_folder(received, tmp_path, slurm):
    slurm.answer("squeue", "")
    (tmp_path / "private").mkdir()
    (tmp_path / "private" / "secret.txt").write_text("mpbench: d1 failed: my secret\n")
    store = Store(received, "testcluster")
    (line, *_), _ = read(store.submissions)
    store.submissions.unlink()
    append(store.submissions, msgspec.structs.replace(line, log="logs/secret.txt"))
    store.logs.rmdir()
    store.logs.symlink_to(tmp_path / "private")
    done = look(received, "submit.py", "--watch")
    assert "my secret" not in done.stdout + done.stderr


@pytest.mark.parametrize("name", ["logs", "replaced", "failed", "traces", "progress", "batches"])
def test_nothing_is_submitted_through_a_link_that_came_with_a_folder(received, tmp_path, name):
    folder = received / "testcluster" / name
    shutil.rmtree(folder, ignore_errors=True)
    (tmp_path / "outside").mkdir(mode=0o700)
    folder.symlink_to(tmp_path / "outside")
    store = Store(received, "testcluster")
    with pytest.raises(ConfigError, match=f"{name} is a link, and came with a folder"):
        store.check_links({event.batch for event in read(store.submissions)[0]})


def test_one_ledger_that_cannot_be_read_hides_no_other_profile(received, tmp_path):
    (received / "other").mkdir()
    (tmp_path / "elsewhere").touch()
    (received / "other" / "submissions.jsonl").symlink_to(tmp_path / "elsewhere")
    done = look(received, "submit.py", "--status")
    assert done.returncode == 1
    assert CASE.case_id in done.stdout
    assert "other/submissions.jsonl: is a link, and links are not followed here" in done.stderr


@pytest.mark.parametrize("junk", [b"x\n" * 20_000, b"\n" * 30_000, b"{}\n" * 20_000])
def test_a_ledger_of_junk_is_given_up(tmp_path, junk):
    (tmp_path / "submissions.jsonl").write_bytes(junk)
    with pytest.raises(OSError, match="is no ledger"):
        read(tmp_path / "submissions.jsonl")


def test_a_result_that_is_a_link_is_named_and_passed_over(received, tmp_path):
    store = Store(received, "testcluster")
    write_atomically(tmp_path / "secret", b"my secret")
    store.result_path(CASE).symlink_to(tmp_path / "secret")
    (store.folder / "loop.json").symlink_to(store.folder / "loop.json")
    done = look(received, "collect.py")
    assert done.stderr.count("is a link, and links are not followed here; left out\n") == 2
    assert "my secret" not in done.stdout + done.stderr
