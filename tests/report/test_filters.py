"""`collect.py --set KEY=VALUE`: of several settings, the tables of one."""

import json

import pytest

from tests.report.made_up import result, write


@pytest.fixture
def collect(run, tmp_path):
    """Run collect.py on task 4, measured with three sizes of a layer."""
    made = [result(gpus=gpus, dim=dim) for gpus in (2, 5) for dim in (4096, 1024, 512)]
    write(tmp_path, "slurm", *made)
    return lambda *arguments: run(
        "collect.py", "--results", tmp_path, "--grid", "task4", *arguments
    )


def cases_of(done):
    tables = json.loads(done.stdout)
    return [(row["dim"], row["gpus"]) for t in tables for row in t["rows"]]


@pytest.mark.parametrize(
    ("values", "cases"),
    [
        (["dim=1024"], [(1024, 2), (1024, 5)]),
        (["dim=4096"], [(4096, 2), (4096, 5)]),
        (["gpus=5"], [(4096, 5), (1024, 5), (512, 5)]),
        (["dim=512", "gpus=2"], [(512, 2)]),
    ],
)
def test_only_cases_with_these_values_are_shown(collect, values, cases):
    done = collect("--format", "json", *(part for v in values for part in ("--set", v)))
    assert done.returncode == 0, done.stderr
    assert sorted(cases_of(done)) == sorted(cases)


def test_a_schedule_without_the_key_stays_beside_those_that_have_it(run):
    values = ("--set", "micro_batches=8", "--set", "gpus=2", "--format", "json")
    grid = "docs/example/grids/schedules.yaml"
    done = run("collect.py", "--results", "docs/example/results", "--grid", grid, *values)
    rows = [row for table in json.loads(done.stdout) for row in table["rows"]]
    assert {"naive", "tensor", "1f1b"} <= {case["schedule"] for case in rows}
    assert {case["micro_batches"] for case in rows} == {None, 8}


def test_a_key_that_no_schedule_has_is_refused(collect):
    done = collect("--set", "micro_batches=10")
    assert done.returncode == 2
    assert done.stderr == "error: --set: no case has micro_batches=10; naive lacks it\n"


def test_what_is_missing_in_another_setting_is_not_missing_here(collect, tmp_path):
    write(tmp_path, "slurm", result(gpus=2, dim=64))
    assert collect().returncode == 1
    assert collect("--set", "dim=1024").returncode == 0


def test_a_report_has_the_one_setting_too(collect, tmp_path):
    page = tmp_path / "report.html"
    done = collect("--set", "dim=1024", "--report", page)
    assert done.returncode == 0, done.stderr
    assert "dim 1024" in page.read_text()
    assert "dim 4096" not in page.read_text()


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        (["dim=8"], "no case has dim=8; there are dim=512; dim=1024; dim=4096"),
        (["dim=8", "gpus=2"],
         "no case has dim=8, gpus=2; there are dim=512, gpus=2; dim=512, gpus=5; "
         "dim=1024, gpus=2; dim=1024, gpus=5; dim=4096, gpus=2; dim=4096, gpus=5"),
        (["dim=x"], "dim: 'x' is not a whole number from 1 to 1000000"),
        (["dim"], "'dim' is not KEY=VALUE; write e.g. depth=8"),
        (["dim=8", "dim=9"], "dim is given twice; give it once"),
    ],
)  # fmt: skip
def test_a_value_that_no_case_has_is_one_line_and_exit_code_2(collect, values, complaint):
    done = collect(*(part for v in values for part in ("--set", v)))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"error: --set: {complaint}\n"


def test_of_many_settings_the_first_are_named(run, tmp_path):
    write(tmp_path, "slurm", *(result(gpus=2, dim=dim) for dim in range(1, 14)))
    done = run("collect.py", "--results", tmp_path, "--grid", "task4", "--set", "dim=99")
    assert done.stderr.endswith("dim=9; dim=10; and 3 more\n")


def test_a_comparison_takes_no_set(run, tmp_path):
    done = run("collect.py", "--results", tmp_path, "--compare", tmp_path, "--set", "dim=8")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert done.stderr.startswith("error: --set: selects rows of tables")
