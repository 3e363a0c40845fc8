"""The title block: what was measured, where, when, and with what result."""

import msgspec
import pytest

from report.data.load import load_results
from report.data.selection import select_tables
from report.title import make_document
from study.grid import load_grids
from tests.report.made_up import case, failed, result, submit, write


def about(folder, *grids):
    """The title block of these grids, by name."""
    profiles = load_results(folder, pytest.fail)
    chosen = load_grids(list(grids))
    grid_tables = [s for grid in chosen for s in select_tables(grid, profiles)]
    return dict(make_document(grid_tables, []).about)


def measured_on(given, day, commit="a" * 40, dirty=False, changed=None):
    job = msgspec.structs.replace(given.job, finished_at=f"{day}T10:00:00.000+00:00")
    code = msgspec.structs.replace(given.code, commit=commit, dirty=dirty, changed=changed)
    return msgspec.structs.replace(given, job=job, code=code)


def test_cases_that_two_tasks_share_count_once(tmp_path):
    write(tmp_path, "slurm", result(gpus=2), failed(gpus=5))
    assert about(tmp_path, "task4", "task5")["Cases"] == "1 ok, 1 failed, 0 missing"


def test_repeats_are_jobs_and_no_cases_of_their_own(tmp_path):
    again = [result(gpus=2, repeat=n) for n in (2, 3)]
    write(tmp_path, "slurm", failed(gpus=2), *again, failed(gpus=5), failed(gpus=5, repeat=2))
    found = about(tmp_path, "task4", "task5")
    assert found["Cases"] == "1 ok, 1 failed, 0 missing"
    assert found["Jobs"] == "2 ok, 3 failed, 0 missing"


def test_jobs_are_not_counted_where_every_case_has_one(tmp_path):
    write(tmp_path, "slurm", result(gpus=2))
    assert "Jobs" not in about(tmp_path, "task4")


def test_a_case_with_a_failed_and_an_unfinished_job_failed(tmp_path):
    write(tmp_path, "slurm", result(gpus=2), failed(gpus=5))
    submit(tmp_path, "slurm", case(gpus=5, repeat=2))
    found = about(tmp_path, "task4")
    assert found["Cases"] == "1 ok, 1 failed, 0 missing"
    assert found["Jobs"] == "1 ok, 1 failed, 1 missing"


def test_what_nobody_measured_is_missing_and_the_rest_unknown(tmp_path):
    found = about(tmp_path, "task4")
    assert found["Cases"] == "0 ok, 0 failed, 2 missing"
    assert found["Hardware"] == found["Measured"] == found["Commit"] == "–"


def test_days_are_a_range_and_hardware_names_its_hosts(tmp_path):
    first = measured_on(result(gpus=2), "2030-01-01")
    write(tmp_path, "slurm", first, measured_on(result(gpus=5), "2030-01-03"))
    found = about(tmp_path, "task4")
    assert found["Measured"] == "2030-01-01 to 2030-01-03"
    assert found["Hardware"] == "NVIDIA A100 (node1)"
    assert found["Commit"] == "aaaaaaa"
    assert (found["Grid"], found["Cluster profile"]) == ("task4", "slurm")


def test_code_that_differed_from_its_commit_is_said(tmp_path):
    write(tmp_path, "slurm", measured_on(result(gpus=2), "2030-01-01", dirty=True))
    assert about(tmp_path, "task4")["Commit"] == "aaaaaaa with changed files"


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (("mp/single/step.py",), "aaaaaaa with changes in mp/single/step.py"),
        (("a.py", "b.py", "c.py"), "aaaaaaa with changes in a.py, b.py and c.py"),
        (tuple("abcdef"), "aaaaaaa with changes in a, b, c and 3 more files"),
        (("line\nbreak.py",), "aaaaaaa with changes in line break.py"),
        ((), "aaaaaaa with changed files"),
    ],
)
def test_changed_files_are_named_where_the_result_names_them(tmp_path, changed, said):
    given = measured_on(result(gpus=2), "2030-01-01", dirty=True, changed=changed)
    write(tmp_path, "slurm", given)
    assert about(tmp_path, "task4")["Commit"] == said
