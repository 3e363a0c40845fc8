"""No text of a result, a ledger or a progress file becomes more than text in any format."""

import io
import json
import subprocess
import sys

import msgspec
import pypdf
import pytest

from study.results.file import encode
from study.storage.files import write_atomically
from study.storage.ledger import append, read
from study.storage.progress import Progress, write_progress
from tests.conftest import PATIENCE_S, ROOT
from tests.hostile import HOSTILE, control_characters, poisoned
from tests.report.made_up import case, end, failed, result, submit


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Results, a failure, an end and a live job of task 4 whose texts are all hostile."""
    folder = tmp_path_factory.mktemp("hostile")
    store = submit(folder, "mine", case(gpus=5))
    end(store, case(gpus=5), "died")
    submit(folder, "mine", case(gpus=2, depth=8))
    events, _ = read(store.submissions)
    store.submissions.unlink()
    # Keys that tell which case it is stay as they are.
    append(
        store.submissions, *(as_before(poisoned(e), e, "case", "case_id", "grid") for e in events)
    )
    write_progress(store.progress_path(case(gpus=2, depth=8), ""), Progress(phase="timing"))
    for given in (result(gpus=2, emulated=True), failed(gpus=3)):
        hurt = as_before(poisoned(given), given, "case", "case_id", "code")
        job = as_before(hurt.job, given.job, "started_at", "finished_at")
        write_atomically(
            store.result_path(given.case), encode(msgspec.structs.replace(hurt, job=job))
        )
    return folder


def as_before(hurt, given, *keys):
    """The poisoned data, but for these keys."""
    kept = {key: getattr(given, key) for key in keys if hasattr(given, key)}
    return msgspec.structs.replace(hurt, **kept)


def collect(folder, *options):
    """Everything that collect.py says."""
    done = subprocess.run(
        [sys.executable, "collect.py", "--grid", "task4", "--results", folder, *options],
        cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_S,
    )  # fmt: skip
    assert done.returncode in (0, 1), done.stderr
    assert "left out" not in done.stderr, done.stderr
    assert control_characters(done.stderr) == set()
    assert "\nforged" not in done.stderr
    return done.stdout


@pytest.mark.parametrize("options", [[], ["--format", "csv"], ["--compare", "FOLDER"]])
def test_what_reaches_a_terminal_moves_nothing_in_it_and_forges_no_row(folder, options):
    shown = collect(folder, *(folder if option == "FOLDER" else option for option in options))
    assert "x ]0;owned" in shown
    assert control_characters(shown) == set()
    assert "\nforged" not in shown


def test_json_holds_the_very_texts_and_sends_none_of_them_raw(folder):
    shown = collect(folder, "--format", "json", "--raw")
    rows = [row for table in json.loads(shown) for row in table["rows"]]
    hosts = [row["result"]["environment"]["host"] for row in rows if row["outcome"] == "ok"]
    assert hosts == [HOSTILE]
    assert control_characters(shown) == set()


def test_a_page_and_a_pdf_hold_them_as_text(folder, tmp_path):
    collect(folder, "--report", str(tmp_path / "report.html"))
    page = (tmp_path / "report.html").read_text()
    assert control_characters(page) == set()
    assert "<b>`$(id)" not in page
    assert "&lt;b&gt;" in page
    collect(folder, "--report", str(tmp_path / "report.pdf"))
    reader = pypdf.PdfReader(io.BytesIO((tmp_path / "report.pdf").read_bytes()))
    assert "owned" in "".join(page.extract_text() for page in reader.pages)
