"""CSV and JSON with `--raw` carry the raw values, whole and without formulas."""

import csv
import io
import json

import msgspec

from report.data.load import load_results
from report.data.selection import select_tables
from report.export import render_csv, render_json
from study.results.file import decode
from tests.report.made_up import failed, grid, result, write

TWO, FIVE = result(gpus=2), result(gpus=5, step_s=0.3)


def grid_tables(folder, *results):
    write(folder, "slurm", *results)
    return select_tables(grid("task4"), load_results(folder, print))


def csv_rows(folder, *results):
    return list(
        csv.DictReader(io.StringIO(render_csv(grid_tables(folder, *results), with_raw=True)))
    )


def test_json_holds_every_result_as_it_was_measured(tmp_path):
    (table,) = json.loads(render_json(grid_tables(tmp_path, TWO, FIVE), with_raw=True))
    assert (table["grid"], table["profile"], table["changed"]) == ("task4", "slurm", {})
    assert [decode(json.dumps(row["result"]).encode()) for row in table["rows"]] == [TWO, FIVE]
    assert [row["reason"] for row in table["rows"]] == [None, None]


def test_json_has_a_row_for_what_is_missing(tmp_path):
    (table,) = json.loads(render_json(grid_tables(tmp_path, TWO), with_raw=True))
    row = table["rows"][1]
    assert row["case"] == FIVE.case.as_dict()
    assert (row["case_id"], row["result"]) == (FIVE.case_id, None)
    assert row["reason"] == "not submitted"


def test_csv_has_a_row_a_case_with_raw_values(tmp_path):
    two, five = csv_rows(tmp_path, TWO, FIVE)
    assert (two["grid"], two["profile"], two["case_id"]) == ("task4", "slurm", TWO.case_id)
    assert five["case.gpus"] == "5"
    assert json.loads(five["result.measurement.step_times_s"]) == FIVE.measurement.step_times_s
    assert five["result.transfers.bytes_forward"] == str(FIVE.transfers.bytes_forward)
    assert len(json.loads(five["result.measurement.per_gpu"])) == 5
    assert two["reason"] == ""


def test_csv_says_why_a_row_has_no_values(tmp_path):
    two, five = csv_rows(tmp_path, TWO, failed("error", "no\nspace", gpus=5))
    assert two["result.outcome"] == "ok"
    assert five["reason"] == "failed: error: no space"
    assert five["result.error.message"] == "no space"
    assert five.get("result.measurement.step_times_s", "") == ""


def test_csv_of_nothing_measured_has_all_rows(tmp_path):
    rows = csv_rows(tmp_path)
    assert [row["reason"] for row in rows] == ["not submitted"] * 2
    assert [row["case.gpus"] for row in rows] == ["2", "5"]


def test_no_text_becomes_a_formula_in_a_spreadsheet(tmp_path):
    for start in ("=", "+", "-", "@", " =", "\t@", "\u202e+"):
        nasty = failed("error", f"{start}HYPERLINK(0)", gpus=2)
        message = csv_rows(tmp_path, nasty)[0]["result.error.message"]
        assert message == f"'{start[-1]}HYPERLINK(0)"


def test_a_negative_number_stays_a_number(tmp_path):
    loss = msgspec.structs.replace(TWO.measurement, first_loss=-1.5)
    rows = csv_rows(tmp_path, msgspec.structs.replace(TWO, measurement=loss), FIVE)
    assert rows[0]["result.measurement.first_loss"] == "-1.5"
