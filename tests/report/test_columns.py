"""Columns by key: chosen ones, unknown ones, no two alike, and tables too wide for a page."""

import pytest

from report.data.load import load_results
from report.data.selection import select_tables
from report.document import Table, join_cells
from report.sections import make_section
from report.tables.columns import COLUMNS, known_columns
from report.tables.turned import turn_wide
from study.errors import ConfigError
from study.grids.file import load_grids
from tests.report.made_up import result, write
from tests.report.shown import cells, details_of, only_section


def mine(folder, text):
    """A grid of one's own."""
    path = folder / "mine.yaml"
    path.write_text(text)
    return str(path)


def section_with(folder, columns, name="task4"):
    (grid,) = load_grids([name])
    (grid_table,) = select_tables(grid, load_results(folder, pytest.fail))
    return make_section(grid_table, columns=columns)


def test_chosen_columns_stand_after_the_axes_in_the_order_asked_for(tmp_path):
    write(tmp_path, "slurm", result(gpus=2), result(gpus=5))
    table = section_with(tmp_path, ["peak_memory", "steps", "step_time"]).table
    assert table.columns == ["depth", "GPUs", "peak memory", "steps", "step time (95 % CI)"]


@pytest.mark.parametrize("key", known_columns())
def test_every_column_can_be_chosen(tmp_path, key):
    write(tmp_path, "slurm", result(gpus=2), result(gpus=5))
    table = section_with(tmp_path, [key]).table
    assert len(table.columns) > 2
    assert all(len(row) == len(table.columns) for row in table.rows)


@pytest.mark.parametrize(
    ("keys", "problem"),
    [
        (["speed"], "--columns: no column speed; there are step_time, ci, steps, "),
        (["steps", "steps"], "--columns: given twice: steps"),
    ],
)
def test_a_column_that_does_not_exist_is_refused_with_those_that_do(tmp_path, keys, problem):
    with pytest.raises(ConfigError) as refused:
        section_with(tmp_path, keys)
    assert str(refused.value).startswith(problem)
    if "there are" in problem:
        assert all(key in str(refused.value) for key in known_columns())


def test_columns_that_were_asked_for_stay_though_nothing_is_known(tmp_path):
    write(tmp_path, "slurm", result(gpus=2, emulated=True), result(gpus=5, emulated=True))
    assert "efficiency" not in only_section(tmp_path).table.columns
    assert "efficiency" in section_with(tmp_path, ["efficiency"]).table.columns


def test_no_heading_of_a_column_is_that_of_another():
    headings = [heading for column in COLUMNS.values() for heading in column.headings]
    assert len(headings) == len(set(headings))


def test_two_columns_of_one_name_are_an_error():
    with pytest.raises(ValueError, match="two columns are called optimizer"):
        join_cells({"optimizer": "adam"}, {"optimizer": "3 ms"})


@pytest.mark.parametrize("table", ["step_time", "memory"])
def test_an_axis_keeps_its_column_whatever_is_measured(tmp_path, table):
    """A3: the axis `optimizer` was overwritten by the time of the optimizer."""
    name = mine(tmp_path, f"table: {table}\naxes: {{optimizer: [sgd, adam]}}\n"
                          "model: {depth: 20, gpus: 2}\n")  # fmt: skip
    write(tmp_path, "slurm", *(result(gpus=2, optimizer=o) for o in ("sgd", "adam")))
    assert [row["optimizer"] for row in cells(only_section(tmp_path, name))] == ["sgd", "adam"]
    for detail in details_of(tmp_path, name).values():
        assert {row["optimizer"] for row in cells(detail)} == {"sgd", "adam"}, detail.caption
    chosen = section_with(tmp_path, ["optimizer", "step_time"], name)
    assert [row["optimizer"] for row in cells(chosen)] == ["sgd", "adam"]
    assert {row["optimizer step"] for row in cells(chosen)} == {"33.3 ms"}


def test_steps_and_warm_up_are_details(tmp_path):
    write(tmp_path, "slurm", result(gpus=2), result(gpus=5))
    assert not {"steps", "outliers"} & {*only_section(tmp_path).table.columns}
    rows = cells(details_of(tmp_path, "task4")["Samples behind each step time"])
    assert [row["timed steps"] for row in rows] == ["41", "41"]


def test_a_table_of_64_gpus_has_a_row_for_each_gpu(tmp_path):
    name = mine(tmp_path, "table: memory\naxes: {gpus: [2, 64]}\nmodel: {depth: 64}\n")
    write(tmp_path, "slurm", *(result(gpus=n, depth=64) for n in (2, 64)))
    table = only_section(tmp_path, name).table
    assert list(table.columns) == ["", "2 GPUs", "64 GPUs"]
    rows = {row[0]: row[1:] for row in table.rows}
    assert rows["memory of GPU 1"] == ["3.12 GiB", "0.0977 GiB"]
    assert rows["memory of GPU 63"] == ["–", "0.0977 GiB"]


def test_a_table_of_a_few_gpus_is_not_turned(tmp_path):
    write(tmp_path, "slurm", result(gpus=2), result(gpus=8))
    table = only_section(tmp_path).table
    assert table.columns[0] == "depth"


def test_a_table_of_many_cases_is_not_turned():
    columns = ["GPUs", *(f"memory of GPU {n}" for n in range(20))]
    table = Table(columns, [["20", *["1 GiB"] * 20]] * 30)
    assert turn_wide(table, 1) is table
