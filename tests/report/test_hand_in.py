"""`collect.py --hand-in DIR`: what the homework wants, in one folder, and nothing overwritten."""

import io
import subprocess
import sys

import pytest
from pypdf import PdfReader

from study.storage.store import Store
from tests.report.made_up import case, result, submit, write

pytestmark = pytest.mark.long
NAMES = ["homework.py", "report.pdf", "results", "tables.md"]


@pytest.fixture
def hand_in(run, tmp_path):
    """Hand in task 4, measured with layers of 64, and a grid of one's own."""
    results = tmp_path / "r"
    for gpus in (2, 5):
        submit(results, "slurm", case(gpus=gpus, dim=64), overrides={"dim": 64})
        write(results, "slurm", result(gpus=gpus, dim=64))
    submit(results, "slurm", case(gpus=3, dim=32), grid="mine")
    write(results, "slurm", result(gpus=3, dim=32))
    return lambda *more: run("collect.py", "--results", results, "--hand-in", *more)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_the_folder_has_code_that_runs_a_report_tables_and_results(hand_in, tmp_path):
    folder = tmp_path / "out"
    done = hand_in(folder, "--author", "Ada Lovelace", "--title", "My homework")
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == "note: Not submitted: task1, task2, task3.\n"
    assert names(folder) == NAMES
    pages = PdfReader(io.BytesIO((folder / "report.pdf").read_bytes())).pages
    text = " ".join(" ".join(page.extract_text().split()) for page in pages)
    for words in ("Ada Lovelace", "My homework", "Task 4", "Task 5"):
        assert words in text
    assert "mine" not in text
    tables = (folder / "tables.md").read_text()
    assert tables.startswith("Hardware: ")
    assert "\n## Task 4" in tables
    assert "Not submitted" not in tables
    store = Store(tmp_path / "r", "slurm")
    measured = {store.result_path(case(gpus=gpus, dim=64)) for gpus in (2, 5)}
    copies = sorted((folder / "results").glob("*/*"))
    assert [path.parent.name for path in copies] == ["slurm"] * 2
    assert {p.read_bytes() for p in copies} == {p.read_bytes() for p in measured}
    command = [sys.executable, "-I", "homework.py", "--gpus", "5", "--steps", "2"]
    code = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert code.returncode == 0, code.stderr
    assert "layer 19: GPU 4" in code.stdout
    assert "DIM = 64 " in (folder / "homework.py").read_text()


def test_a_second_time_the_folder_is_replaced_and_a_changed_homework_is_not(hand_in, tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    assert hand_in(folder).returncode == 0
    assert hand_in(folder, "--author", "Ada").returncode == 0
    assert names(folder) == NAMES
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []
    with (folder / "homework.py").open("a") as file:
        file.write("# mine\n")
    before = (folder / "report.pdf").read_bytes()
    done = hand_in(folder)
    assert (done.returncode, done.stderr.splitlines()[-1]) == (
        2,
        f"error: --hand-in: {folder}/homework.py was edited, or is of other sizes; move it away "
        "or name a new folder",
    )
    assert (folder / "report.pdf").read_bytes() == before


def test_a_folder_with_other_things_is_left_alone(hand_in, tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "notes.txt").write_text("mine")
    done = hand_in(folder)
    assert done.returncode == 2
    assert done.stderr == (
        f"error: --hand-in: {folder} holds other things (notes.txt); name a new folder\n"
    )
    assert names(folder) == ["notes.txt"]


@pytest.mark.parametrize("where", ["r", "r/slurm", "."])
def test_the_folder_of_the_results_is_never_replaced(hand_in, tmp_path, where):
    before = sorted(tmp_path.rglob("*"))
    done = hand_in(tmp_path / where)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "contain one another" in done.stderr
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("where", "problem"), [("no/out", "does not exist"), ("file", "is not a folder")]
)
def test_a_place_that_no_folder_can_have_is_refused(hand_in, tmp_path, where, problem):
    (tmp_path / "file").write_text("")
    done = hand_in(tmp_path / where)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert problem in done.stderr


def test_other_precision_than_the_codes_is_said(run, tmp_path):
    write(tmp_path / "r", "slurm", *(result(gpus=g, dtype="bfloat16") for g in (2, 5)))
    done = run("collect.py", "--results", tmp_path / "r", "--hand-in", tmp_path / "out")
    assert "homework.py trains in float32 with SGD; the results have dtype bfloat16" in done.stderr


def test_without_a_task_of_the_homework_there_is_nothing_to_hand_in(run, tmp_path):
    submit(tmp_path / "r", "slurm", case(gpus=3, dim=32), grid="mine")
    done = run("collect.py", "--results", tmp_path / "r", "--hand-in", tmp_path / "out")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert not (tmp_path / "out").exists()
