"""No text of a ledger, a log, a progress file or of Slurm moves a terminal or forges a row."""

import os
import subprocess
import sys

import msgspec
import pytest

from jobs.batch import write_batch
from jobs.status.case_status import CaseStatus
from jobs.terminal.live_view import Overview, _picture
from jobs.terminal.status_table import make_lines, reasons, summary
from study.case import Case
from study.errors import ConfigError, explain
from study.storage.ledger import Ended, append
from study.storage.store import Store
from tests.conftest import PATIENCE_S, ROOT
from tests.hostile import HOSTILE, control_characters, poisoned
from tests.jobs.fake_slurm import FakeSlurm, squeue_line
from tests.jobs.test_plan import submission
from tests.jobs.test_received_folders import assignment

RUNNING, FAILED, DIED = (Case(depth=20, gpus=gpus) for gpus in (2, 3, 4))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A running case, one that Slurm says has failed, and one that the ledger says has died."""
    fake = FakeSlurm(tmp_path / "bin")
    monkeypatch.setenv("PATH", f"{fake.folder}:{os.environ['PATH']}")
    store = Store(tmp_path / "r", "testcluster")
    store.prepare()
    said = []
    for job_id, case in (("2", RUNNING), ("3", FAILED), ("4", DIED)):
        given = assignment(store, int(job_id), case=case)
        write_batch(store, [given])
        log = store.log_path(job_id, given.batch)
        log.write_text(f"{HOSTILE}\nmpbench: {HOSTILE}\n")
        line = given.submitted_as(job_id, log)
        kept = {key: getattr(line, key) for key in ("case", "case_id", "user", "cluster", "log")}
        append(store.submissions, msgspec.structs.replace(poisoned(line), **kept))
        progress = msgspec.json.encode({"phase": HOSTILE, "updated_at": HOSTILE})
        store.progress_path(case, given.batch).write_bytes(progress)
        state = "RUNNING" if case == RUNNING else "FAILED"
        command = f"/x/{given.batch}.sh"
        said.append(squeue_line(job_id, state, HOSTILE, HOSTILE, name=HOSTILE, command=command))
    end = Ended(
        case_id=DIED.case_id, job_id="4", batch=given.batch, outcome="error", state="FAILED",
        reason="died", nodes="n1", elapsed_s=1, told_by="squeue", seen_at="now",
    )  # fmt: skip
    append(store.submissions, msgspec.structs.replace(poisoned(end), case_id=DIED.case_id))
    fake.answer("squeue", "".join(said[:2]))
    (tmp_path / "g.yaml").write_text("axes: {depth: [20], gpus: [2, 3, 4]}\n")
    return tmp_path


@pytest.mark.parametrize(
    "words", [["--status"], ["--grid", "GRID", "--dry-run"], ["--grid", "GRID", "--only", "ok"]]
)
def test_what_reaches_a_terminal_moves_nothing_in_it_and_forges_no_row(folder, words):
    words = [str(folder / "g.yaml") if word == "GRID" else word for word in words]
    where = ("--cluster", "testcluster", "--results", folder / "r")
    done = subprocess.run(
        [sys.executable, "submit.py", *words, *where],
        cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_S,
    )  # fmt: skip
    assert all(case.case_id in done.stdout for case in (RUNNING, FAILED, DIED)), done.stderr
    assert control_characters(done.stdout + done.stderr) == set()
    assert "\nforged" not in done.stdout + done.stderr


def test_every_text_of_an_observation_stays_in_its_row():
    seen = CaseStatus(
        submission=msgspec.structs.replace(submission(), job_id=HOSTILE, case_id=HOSTILE),
        profile=HOSTILE, state=HOSTILE, reason=HOSTILE, nodes=HOSTILE, outcome="error", why=HOSTILE,
    )  # fmt: skip
    lines = [*make_lines([seen]), *reasons([seen]), summary([seen])]
    assert len(lines) == 4
    assert control_characters("".join(lines)) == set()
    shown = _picture(Overview([seen], [HOSTILE]), 200, 20).plain
    assert shown.count("\n") == 3  # the titles, the row, the note; then the summary
    assert control_characters(shown) == set()


@pytest.mark.parametrize(
    "error", [ConfigError(HOSTILE, HOSTILE), OSError(1, HOSTILE, HOSTILE), ValueError(HOSTILE)]
)
def test_an_error_is_one_line_of_text(error):
    assert control_characters(explain(error)) == set()
    assert "\n" not in explain(error)
    assert len(explain(ConfigError("file", "x" * 10**6))) < 1100
