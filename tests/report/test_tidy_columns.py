"""CSV and JSON begin with one column for each number that a plot needs."""

import csv
import io
import json
import re

import pytest

from report.data.load import load_results
from report.data.selection import select_tables
from report.export import render_csv, render_json
from report.tidy import COLUMNS
from report.tidy import OF_ALL as KEYS
from study.paths import ROOT
from tests.report.made_up import failed, grid, result, write

MIB = 2**20


def tables_of(folder, *results):
    write(folder, "slurm", *results)
    return select_tables(grid("task4"), load_results(folder, print))


@pytest.fixture
def task4(tmp_path):
    """Task 4, twice as slow on 5 GPUs."""
    return tables_of(tmp_path, result(gpus=2, step_s=0.1), result(gpus=5, step_s=0.2))


def test_a_row_has_the_figures_of_its_case(task4):
    two, five = json.loads(render_json(task4))[0]["rows"]
    assert list(five) == list(COLUMNS)
    assert (five["grid"], five["profile"], five["outcome"]) == ("task4", "slurm", "ok")
    assert (five["depth"], five["gpus"], five["timed_steps"]) == (20, 5, 41)
    assert five["step_time_s"] == pytest.approx(0.2)
    assert five["ci_low_s"] < 0.2 < five["ci_high_s"]
    assert five["samples_per_s"] == pytest.approx(64 / 0.2)
    assert (five["base_gpus"], five["speed_up"]) == (2, pytest.approx(0.5))
    assert five["efficiency"] == pytest.approx(0.5 * 2 / 5)
    assert five["gpu_seconds_per_step"] == pytest.approx(1.0)
    assert five["peak_bytes_max"] == 400 * MIB
    assert (five["moves_forward"], five["moves_backward"]) == (4, 4)
    assert five["bytes_forward"] == 4 * 64 * 4096 * 4
    assert 0 < two["bubble"] < five["bubble"] < 1


def test_csv_has_the_same_numbers_without_any_list(task4):
    text = render_csv(task4)
    assert "[" not in text
    assert "{" not in text
    rows = list(csv.DictReader(io.StringIO(text)))
    asked = json.loads(render_json(task4))[0]["rows"]
    assert [float(row["step_time_s"]) for row in rows] == [row["step_time_s"] for row in asked]
    assert rows[0]["reason"] == rows[0]["micro_batches"] == ""


def test_keys_that_a_schedule_lacks_are_unknown(task4):
    row = json.loads(render_json(task4))[0]["rows"][0]
    assert row["micro_batches"] is None
    assert {*KEYS} <= row.keys()


def test_what_was_not_measured_has_a_reason_and_no_numbers(tmp_path):
    tables = tables_of(tmp_path, result(gpus=2), failed("oom_gpu", "no space", gpus=5))
    row = json.loads(render_json(tables))[0]["rows"][1]
    assert (row["outcome"], row["reason"]) == ("oom_gpu", "failed: oom_gpu: no space")
    after = COLUMNS[COLUMNS.index("emulated") :]
    assert {row[name] for name in after} == {None}


def test_emulated_gpus_have_no_speed_up(tmp_path):
    made = (result(gpus=gpus, gpu_name=None) for gpus in (2, 5))
    row = json.loads(render_json(tables_of(tmp_path, *made)))[0]["rows"][1]
    assert row["emulated"] is True
    assert (row["speed_up"], row["gpu_seconds_per_step"], row["peak_bytes_max"]) == (None,) * 3


def test_every_job_of_a_repeated_case_has_its_own_time(tmp_path):
    jobs = [result(gpus=2, repeat=n, step_s=n / 10) for n in (1, 2, 3)]
    rows = json.loads(render_json(tables_of(tmp_path, *jobs)))[0]["rows"]
    assert [row["step_time_s"] for row in rows[:3]] == pytest.approx([0.1, 0.2, 0.3])


def test_raw_values_come_behind_the_tidy_columns(task4):
    (header, *_) = render_csv(task4, with_raw=True).splitlines()
    names = header.split(",")
    assert names[: len(COLUMNS)] == list(COLUMNS)
    assert "result.measurement.step_times_s" in names
    row = json.loads(render_json(task4, with_raw=True))[0]["rows"][0]
    assert list(row) == [*COLUMNS, "case", "result"]


def test_every_column_is_described():
    text = (ROOT / "docs/results.md").read_text().partition("## Tidy columns")[2]
    described = re.findall(r"`(\w+)`", "".join(re.findall(r"(?m)^\| (.*?) \|", text)))
    assert set(described) >= set(COLUMNS) - set(KEYS)
