"""collect.py as a person runs it: tables on stdout, all else on stderr."""

import csv
import io
import json

import pytest

from study.grids.file import known_grids
from tests.report.made_up import case, grid, result, submit, write


@pytest.fixture
def collect(run, tmp_path):
    """Run collect.py on a folder of results."""
    return lambda *arguments: run("collect.py", "--results", tmp_path, *arguments)


@pytest.fixture
def task4(tmp_path):
    """Task 4, measured."""
    write(tmp_path, "slurm", result(gpus=2), result(gpus=5, step_s=0.3))


def is_markdown(text):
    """Whether every line is a title, a table's, a paragraph's or empty; none is a message."""
    return all(
        not line.startswith(("note:", "error:", "Traceback")) for line in text.splitlines()
    ) and text.startswith("Hardware: ")


@pytest.mark.parametrize("kind", ["a typo", "a file"])
def test_what_is_no_folder_of_results_is_refused(run, tmp_path, kind):
    if kind == "a file":
        (tmp_path / "r").write_text("")
    done = run("collect.py", "--results", tmp_path / "r")
    problem = "does not exist" if kind == "a typo" else "is not a folder"
    assert done.returncode == 2
    assert done.stderr == (f"error: --results: {tmp_path}/r {problem}; name a folder of results\n")
    assert done.stdout == ""


@pytest.mark.parametrize("more", [(), ("--grid", "task4"), ("--format", "csv")])
def test_a_folder_without_results_is_refused(run, tmp_path, more):
    done = run("collect.py", "--results", tmp_path, *more)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        f"error: --results: {tmp_path} holds no results; run submit.py, or name their folder\n"
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("task4")
def test_what_was_submitted_is_shown_and_what_was_not_is_one_line(collect, tmp_path):
    for gpus in (2, 5):
        submit(tmp_path, "slurm", case(gpus=gpus))
    done = collect()
    assert (done.returncode, done.stderr) == (0, "")
    titles = [line for line in done.stdout.splitlines() if line.startswith("## Task")]
    assert titles == [f"## {grid(task).title}" for task in ("task4", "task5")]
    assert done.stdout.count("ot submitted") == 1
    assert "\n\nNot submitted: task1, task2, task3.\n\n" in done.stdout


@pytest.mark.usefixtures("task4")
def test_of_named_grids_those_that_nobody_started_are_one_line_and_missing(collect):
    done = collect("--grid", "task1", "--grid", "task2", "--grid", "task4")
    assert done.returncode == 1
    assert "\n\nNot submitted: task1, task2.\n\n" in done.stdout
    assert [line for line in done.stdout.splitlines() if line.startswith("## Task")] == [
        f"## {grid('task4').title}"
    ]


def test_a_named_grid_that_nobody_started_has_all_its_rows(collect, tmp_path):
    write(tmp_path, "slurm", result("task1"))
    done = collect("--grid", "task3")
    assert done.returncode == 1
    assert done.stdout.count("| not submitted") == 5


@pytest.mark.usefixtures("task4")
def test_a_complete_task_exits_with_0_and_says_nothing_else(collect):
    done = collect("--grid", "task4")
    assert (done.returncode, done.stderr) == (0, "")
    assert is_markdown(done.stdout)
    assert "From 2 to 5 GPUs training gets slower" in done.stdout


@pytest.mark.usefixtures("task4")
def test_a_grid_may_be_given_more_than_once(collect):
    done = collect("--grid", "task4", "--grid", "task5")
    assert done.returncode == 0
    assert done.stdout.count("\n## Task") == 2


@pytest.mark.usefixtures("task4")
def test_a_broken_file_is_named_on_stderr_alone(collect, tmp_path):
    (tmp_path / "slurm" / "notes.json").write_text("{}")
    done = collect("--grid", "task4")
    assert done.returncode == 0
    assert is_markdown(done.stdout)
    assert "notes.json" not in done.stdout
    assert done.stderr.startswith(f"note: {tmp_path / 'slurm' / 'notes.json'} is not a result")


def test_a_missing_row_exits_with_1(collect, tmp_path):
    write(tmp_path, "slurm", result(gpus=2))
    done = collect("--grid", "task4")
    assert done.returncode == 1
    assert is_markdown(done.stdout)
    assert "Missing from this answer: 1 of 2 cases" in done.stdout


@pytest.mark.usefixtures("task4")
def test_json_carries_the_raw_step_times(collect):
    done = collect("--grid", "task4", "--format", "json", "--raw")
    (table,) = json.loads(done.stdout)
    times = table["rows"][1]["result"]["measurement"]["step_times_s"]
    assert times == result(gpus=5, step_s=0.3).measurement.step_times_s


@pytest.mark.usefixtures("task4")
def test_csv_carries_the_raw_step_times(collect):
    done = collect("--grid", "task4", "--format", "csv", "--raw")
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    times = json.loads(rows[1]["result.measurement.step_times_s"])
    assert times == result(gpus=5, step_s=0.3).measurement.step_times_s


def test_an_unknown_grid_is_one_line_and_exit_code_2(collect):
    done = collect("--grid", "task6")
    known = ", ".join(known_grids())
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"error: --grid: 'task6' is neither a file nor one of: {known}\n"


def test_a_wrong_grid_file_is_one_line_and_exit_code_2(collect, tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("axes: {depth: [six], gpus: [2]}")
    done = collect("--grid", path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        f"error: {path}: axes: depth: 'six' is not a whole number from 1 to 100000\n"
    )


def test_another_known_grid_that_was_submitted_is_shown_too(collect, tmp_path):
    (smoke,) = {c for c in grid("smoke").cases() if c.gpus == 4}
    submit(tmp_path, "local", smoke, grid="smoke")
    assert f"## {grid('smoke').title}" in collect().stdout


def test_a_grid_that_was_submitted_from_a_file_is_shown_by_its_cases(collect, tmp_path):
    for gpus in (2, 3):
        submit(tmp_path, "local", case(gpus=gpus, dim=64), grid="mine")
        write(tmp_path, "local", result(gpus=gpus, dim=64))
    done = collect()
    assert (done.returncode, done.stderr) == (0, "")
    assert next(line for line in done.stdout.splitlines() if line.startswith("## ")) == "## mine"
    assert "Not submitted" not in done.stdout


def test_results_that_no_grid_describes_are_counted_on_stderr(collect, tmp_path):
    write(tmp_path, "slurm", result(gpus=2), result(gpus=2, depth=40))
    done = collect()
    assert done.stderr == "note: results of no known grid: 1; show them with --grid FILE\n"


@pytest.mark.usefixtures("task4")
def test_details_are_left_out_of_markdown_unless_asked_for(collect):
    short, long = (collect("--grid", "task4", *more).stdout for more in ((), ("--details",)))
    assert set(short.splitlines()) < set(long.splitlines())


@pytest.mark.usefixtures("task4")
def test_columns_can_be_chosen(collect):
    done = collect("--grid", "task4", "--columns", "step_time, speed_up")
    head = next(line for line in done.stdout.splitlines() if line.startswith("|"))
    names = [name.strip() for name in head.strip("|").split("|")]
    assert names == ["depth", "GPUs", "step time (95 % CI)", "speed-up over 2 GPUs"]


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (("--raw",), "--raw: needs --format csv or json"),
        (("--details", "--format", "csv"), "--details: is for Markdown tables"),
        (("--columns", "a,b", "--format", "csv"), "--columns: is for the tables"),
        (("--columns", "a,,b"), "argument --columns: 'a,,b' is not a list of names, e.g. a,b,c"),
        (("--columns", "speed"), "--columns: no column speed; there are step_time, "),
        (("--hand-in", "h", "--grid", "task4"), "--grid: cannot be combined with --hand-in"),
        (("--hand-in", "h", "--report", "r.pdf"), "--report: cannot be combined with --hand-in"),
        (("--hand-in", "h", "--format", "csv"), "--format: cannot be combined with --hand-in"),
    ],
)
@pytest.mark.usefixtures("task4")
def test_options_without_effect_are_one_line(collect, options, complaint):
    done = collect(*options)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert complaint in done.stderr


def test_help_imports_no_torch_and_no_pandas(run):
    done = run("-X", "importtime", "collect.py", "--help")
    modules = {
        line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines()
    }
    assert done.returncode == 0
    assert "python collect.py > tables.md" in done.stdout
    assert "report" in modules
    assert not modules & {"torch", "pandas", "submitit"}
