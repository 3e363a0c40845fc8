"""A file that cannot be read is named on stderr and costs no other row."""

import json

import pytest

from report.data.load import load_results
from study.results.file import encode
from study.storage.store import Store
from tests.report.made_up import case, result, submit, write

FIVE = result(gpus=5)


def load(folder):
    """The results of the one profile, and what was complained of."""
    complaints = []
    (profile,) = load_results(folder, complaints.append)
    return profile, complaints


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is not a result"),
        (encode(FIVE)[:1000], "is not a result: Input data was truncated"),
        (b"\x00\x01", "is not a result"),
        (b'{"some": "other JSON"}', "is not a result"),
        (encode(FIVE).replace(b'"0000', b'"--output=0000'), "is not a result"),
        (b'{"schema_version": 99}', "has schema_version 99; this code reads 2"),
        (encode(result(gpus=3)), "holds the result of d20-g3-"),
        (json.dumps(json.loads(encode(FIVE)) | {"case_id": "d1-g1"}).encode(), "names case_id"),
    ],
)
def test_a_file_that_is_not_the_result_is_named_and_costs_no_other(tmp_path, content, reason):
    write(tmp_path, "slurm", result(gpus=2))
    path = Store(tmp_path, "slurm").result_path(FIVE.case)
    path.write_bytes(content)
    profile, (complaint,) = load(tmp_path)
    assert complaint.startswith(f"{path} {reason}")
    assert list(profile.results) == [case(gpus=2)]
    assert profile.reason(FIVE.case) == "its result file cannot be read"


def test_a_huge_file_is_named_and_not_read(tmp_path):
    write(tmp_path, "slurm", result(gpus=2))
    with Store(tmp_path, "slurm").result_path(FIVE.case).open("wb") as file:
        file.truncate(10**12)
    profile, (complaint,) = load(tmp_path)
    assert complaint.endswith("cannot be read: has 1000000000000 bytes, too many; left out")
    assert list(profile.results) == [case(gpus=2)]


def test_a_foreign_file_is_named_and_costs_no_row(tmp_path):
    write(tmp_path, "slurm", result(gpus=2), FIVE)
    (tmp_path / "slurm" / "notes.json").write_text("{}")
    profile, (complaint,) = load(tmp_path)
    assert "notes.json is not a result" in complaint
    assert len(profile.results) == 2


def test_what_no_result_could_be_is_passed_over(tmp_path):
    write(tmp_path, "slurm", FIVE)
    (tmp_path / "README.txt").write_text("mine")
    (tmp_path / "slurm" / ".d20-g5.json.abc").write_text("half a")
    (tmp_path / "slurm" / "replaced").mkdir()
    (tmp_path / "slurm" / "replaced" / "old.json").write_text("{}")
    profile, complaints = load(tmp_path)
    assert complaints == []
    assert len(profile.results) == 1


def test_a_broken_line_of_the_ledger_is_counted_and_costs_no_other(tmp_path):
    store = submit(tmp_path, "slurm", FIVE.case)
    with store.submissions.open("ab") as file:
        file.write(b'{"event": "subm')
    profile, (complaint,) = load(tmp_path)
    assert complaint == f"{store.submissions}: lines that cannot be read: 1; left out"
    assert [submission.case for submission in profile.submissions] == [FIVE.case]


def test_a_ledger_that_cannot_be_read_costs_no_result(tmp_path):
    write(tmp_path, "slurm", FIVE)
    Store(tmp_path, "slurm").submissions.mkdir()
    profile, (complaint,) = load(tmp_path)
    assert "submissions.jsonl" in complaint
    assert list(profile.results) == [FIVE.case]


def test_a_folder_of_results_that_is_not_there_holds_none(tmp_path):
    assert load_results(tmp_path / "none", pytest.fail) == []
    assert load_results(tmp_path, pytest.fail) == []
