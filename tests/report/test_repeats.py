"""A case that several jobs measured is one row, and its interval knows of all of them."""

import msgspec
import pytest

from report.data.load import load_results
from report.data.selection import select_tables
from report.export import render_csv, render_json
from tests.report.made_up import case, failed, grid, result, submit, write
from tests.report.shown import answer_of, cells, details_of, only_section


def repeats(step_s, gpus=2, **keys):
    """One result for each of these step times."""
    return [result(gpus=gpus, step_s=s, repeat=n + 1, **keys) for n, s in enumerate(step_s)]


def row_of(folder):
    """The row of 2 GPUs, with its notes and samples in words."""
    section = only_section(folder)
    (samples, *_) = cells(details_of(folder, "task4")["Samples behind each step time"])
    lines = dict(line.split("  ", 1) for line in section.table.notes)
    row = cells(section)[0]
    notes = " ".join(lines[mark] for mark in row.get("notes", "").split(", ") if mark in lines)
    return samples | row | {"notes": notes}


def test_repeats_are_one_row_with_the_mean_of_their_medians(tmp_path):
    write(tmp_path, "slurm", *repeats([0.1, 0.13, 0.11]), result(gpus=5))
    rows = cells(only_section(tmp_path))
    assert len(rows) == 2
    assert rows[0]["step time (95 % CI)"].startswith("113 ms (")
    assert (row_of(tmp_path)["timed steps"], row_of(tmp_path)["jobs"]) == ("123", "3")


def test_jobs_that_differ_widen_the_interval(tmp_path):
    alike = answer_of(tmp_path / "a", "task4", *repeats([0.1] * 5), *repeats([0.105] * 5, 5))
    apart = [0.08, 0.09, 0.1, 0.11, 0.12]
    unlike = answer_of(tmp_path / "b", "task4", *repeats(apart), *repeats([0.105] * 5, 5))
    assert "5 GPUs take 5.0 % more time than 2 GPUs" in alike
    assert "2 GPUs and 5 GPUs cannot be told apart" in unlike


def test_a_repeat_that_failed_is_noted_and_costs_no_other(tmp_path):
    two = [*repeats([0.1, 0.1]), failed(gpus=2, repeat=3)]
    write(tmp_path, "slurm", *two, result(gpus=5))
    row = row_of(tmp_path)
    assert (row["timed steps"], row["jobs"]) == ("82", "2")
    assert row["notes"] == "1 of 3 jobs are missing: oom_gpu."


def test_a_first_job_that_failed_leaves_the_row_to_its_repeats(tmp_path):
    write(tmp_path, "slurm", failed(gpus=2), *repeats([0.1, 0.2])[1:], result(gpus=5))
    row = row_of(tmp_path)
    assert row["step time (95 % CI)"].startswith("200 ms (")
    assert row["notes"] == "1 of 2 jobs are missing: oom_gpu."


def test_a_repeat_on_other_hardware_is_left_out_and_said(tmp_path):
    other = result(gpus=2, step_s=0.5, repeat=2, gpu_name="NVIDIA H100")
    write(tmp_path, "slurm", result(gpus=2), other, result(gpus=5))
    row = row_of(tmp_path)
    assert row["timed steps"] == "41"
    assert row["notes"] == "Left out: 1 job measured under other conditions."


def test_a_repeat_that_waits_for_its_job_is_missing(tmp_path):
    again = msgspec.structs.replace(case(gpus=2), repeat=2)
    submit(tmp_path, "slurm", again)
    write(tmp_path, "slurm", *repeats([0.1]), result(gpus=5))
    assert row_of(tmp_path)["notes"] == "1 of 2 jobs are missing: no result yet."


def test_collect_exits_with_1_while_a_repeat_is_missing(tmp_path, run):
    write(tmp_path, "slurm", result(gpus=2), failed(gpus=2, repeat=2), result(gpus=5))
    done = run("collect.py", "--grid", "task4", "--results", tmp_path)
    assert done.returncode == 1
    assert "rows without a measurement: 1" in done.stderr


def test_raw_values_have_a_row_for_every_job(tmp_path):
    write(tmp_path, "slurm", *repeats([0.1, 0.2, 0.3]), result(gpus=5))
    grid_tables = select_tables(grid("task4"), load_results(tmp_path, print))
    assert render_csv(grid_tables).count("\n") == 1 + 4
    (table,) = msgspec.json.decode(render_json(grid_tables))
    assert [row["repeat"] for row in table["rows"]] == [1, 2, 3, 1]


def test_jobs_of_another_torch_are_not_pooled(tmp_path):
    first, *others = repeats([0.1, 0.2, 0.2])
    old = msgspec.structs.replace(first.environment, torch="1.0")
    write(tmp_path, "slurm", msgspec.structs.replace(first, environment=old), *others)
    write(tmp_path, "slurm", result(gpus=5))
    row = row_of(tmp_path)
    assert (row["timed steps"], row["jobs"]) == ("82", "2")
    assert row["notes"] == "Left out: 1 job measured under other conditions."


@pytest.mark.parametrize("change", [{"driver": "1"}, {"tf32": True}, {"cpu": "another"}])
def test_jobs_under_other_conditions_are_not_pooled(tmp_path, change):
    first, *others = repeats([0.1, 0.2, 0.2])
    other = msgspec.structs.replace(first.environment, **change)
    write(tmp_path, "slurm", msgspec.structs.replace(first, environment=other), *others)
    write(tmp_path, "slurm", result(gpus=5))
    assert row_of(tmp_path)["notes"] == "Left out: 1 job measured under other conditions."


def test_a_repeat_that_a_person_set_is_found(tmp_path):
    again = msgspec.structs.replace(case(gpus=2), repeat=2)
    submit(tmp_path, "slurm", again, overrides={"repeat": 2})
    write(tmp_path, "slurm", result(gpus=2, repeat=2), result(gpus=5))
    assert row_of(tmp_path)["timed steps"] == "41"
