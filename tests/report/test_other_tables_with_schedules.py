"""Every kind of table, and the raw values, hold pipelines and tensor parallelism as well."""

import csv
import io
import json

import pytest
import yaml

from report.compare.pairs import compare_sets, result_set
from report.compare.section import make_comparison
from report.data.load import load_results
from report.data.selection import select_tables
from report.export import render_csv, render_json
from report.sections import make_section
from study.grids.file import PROGRAM, TABLES, load_grids
from study.paths import GRIDS
from tests.report.made_up import submit, write
from tests.report.made_up_pipeline import scheduled
from tests.report.shown import cells, sentences

pytestmark = pytest.mark.long

SCHEDULES = ("naive", "gpipe", "1f1b", "interleaved_1f1b", "zero_bubble", "zbv", "tensor")


def grid_of(folder, table, pipeline=""):
    """The grid `pipeline`, but with another table."""
    content = yaml.safe_load((GRIDS / "pipeline.yaml").read_text())
    content["axes"] = {"gpus": [1, 2, 5], "schedule": list(SCHEDULES), "micro_batches": [10]}
    keys = {"gradients": "separate"} | (yaml.safe_load(pipeline) or {})
    content |= {"table": table, "pipeline": keys}
    path = folder / "mine.yaml"
    path.write_text(yaml.safe_dump(content))
    (grid,) = load_grids([str(path)])
    return grid


def results(grid, **keys):
    return [scheduled(**(_keys(case) | keys)) for case in grid.cases()]


def _keys(case):
    names = ("schedule", "gpus", "micro_batches", "chunks_per_gpu", "balance")
    return {name: getattr(case, name) for name in names}


def section_of(folder, table, *given, grid=None, with_figures=False):
    write(folder / "results", "slurm", *given)
    grid = grid or grid_of(folder, table)
    (grid_table,) = select_tables(grid, load_results(folder / "results", pytest.fail))
    return make_section(grid_table, with_figures)


@pytest.mark.parametrize("gpu_name", ["NVIDIA H100", None], ids=["GPUs", "processes on a CPU"])
@pytest.mark.parametrize("table", [t for t in TABLES if t not in ("schedules", PROGRAM)])
def test_every_kind_of_table_has_a_row_for_every_schedule(tmp_path, table, gpu_name):
    grid = grid_of(tmp_path, table)
    given = results(grid, gpu_name=gpu_name)
    section = section_of(tmp_path, table, *given, with_figures=True)
    rows = [(row["schedule"], row["micro-batches"]) for row in cells(section)]
    assert len(rows) == 3 * len(SCHEDULES)
    assert rows[:2] == [("naive", "–"), ("GPipe", "10")]
    assert rows[-1] == ("tensor parallelism", "–")
    assert all(answer.sentences for answer in section.answers)


def test_memory_is_predicted_for_all_but_tensor_parallelism(tmp_path):
    section = section_of(tmp_path, "memory", *results(grid_of(tmp_path, "memory")))
    (table,) = [t for t in section.details.tables if t.caption.startswith("Memory")]
    predicted = {row["schedule"]: row["predicted"] != "–" for row in cells(table)}
    assert predicted == {NAMES[s]: s != "tensor" for s in SCHEDULES}
    assert all(row["allocated"] != "–" for row in cells(table))


NAMES = {
    "naive": "naive",
    "gpipe": "GPipe",
    "1f1b": "1F1B",
    "interleaved_1f1b": "interleaved 1F1B",
    "zero_bubble": "ZB1P",
    "zbv": "ZBV",
    "tensor": "tensor parallelism",
}


def test_weights_gradients_have_a_column_where_they_are_computed_on_their_own(tmp_path):
    section = section_of(tmp_path, "memory", *results(grid_of(tmp_path, "memory")))
    (table,) = [t for t in section.details.tables if t.caption.startswith("Where the time goes")]
    apart = {row["schedule"] for row in cells(table) if row["weights' gradients"] != "–"}
    assert apart == {"ZB1P", "ZBV"}


def test_a_pipeline_is_held_against_all_its_gpus(tmp_path):
    grid = grid_of(tmp_path, "memory")
    section = section_of(tmp_path, "memory", *results(grid, step_s=1.0))
    (table,) = [t for t in section.details.tables if t.caption.startswith("Achieved")]
    share = {(row["schedule"], row["GPUs"]): row["% of peak"] for row in cells(table)}
    naive, pipeline = (float(share[name, "5"].split()[0]) for name in ("naive", "1F1B"))
    assert pipeline == pytest.approx(naive / 5, abs=0.1)


def test_processes_on_a_cpu_share_its_limit(tmp_path):
    grid = grid_of(tmp_path, "memory")
    section = section_of(tmp_path, "memory", *results(grid, gpu_name=None))
    (table,) = [t for t in section.details.tables if t.caption.startswith("Achieved")]
    assert {row["% of peak"] for row in cells(table) if row["schedule"] == "1F1B"} == {"–"}


def test_layers_in_several_runs_or_in_shares_are_told(tmp_path):
    section = section_of(tmp_path, "layer_map", *results(grid_of(tmp_path, "layer_map")))
    rows = {(row["schedule"], row["GPUs"]): row["layers of GPU 0"] for row in cells(section)}
    assert rows["1F1B", "5"] == "0–3 (4)"
    assert rows["interleaved 1F1B", "5"] == "0–1, 10–11 (4)"
    assert rows["ZBV", "5"] == "0–1, 18–19 (4)"
    assert rows["tensor parallelism", "5"] == "a share of each (20)"
    layers, where = section.answers
    assert (
        "5 GPUs, interleaved 1F1B with 10 micro-batches: GPU 0 gets 4 layers in 2 runs"
        in "\n".join(layers.sentences)
    )
    assert layers.sentences[-1].startswith(
        "5 GPUs, tensor parallelism: Every GPU holds a share of every layer"
    )
    assert where.sentences[-1].endswith("Nowhere: nothing is passed on between layers.")


def test_layers_that_are_dealt_out_have_a_rule_of_their_own(tmp_path):
    grid = grid_of(tmp_path, "placement_rule")
    answers = " ".join(sentences(section_of(tmp_path, "placement_rule", *results(grid))))
    assert "Every layer map measured (12) follows the rule" in answers
    assert "dealt to the GPUs in turn, round after round" in answers
    assert "do not follow" not in answers


def test_moves_are_counted_for_every_border_and_micro_batch(tmp_path):
    section = section_of(tmp_path, "transfers", *results(grid_of(tmp_path, "transfers")))
    calls, growth = (answer.sentences for answer in section.answers)
    assert (
        "GPipe with 10 micro-batches; 1F1B with 10 micro-batches; ZB1P with 10 micro-batches: No "
        "calls of `.to`: 0 moves on 1 GPU, 10 moves on 2 GPUs and 40 moves on 5 GPUs between "
        "processes."
    ) in calls
    assert "10 all-reduces on 5 GPUs between processes." in calls[-1]
    told = "\n".join(growth)
    assert "Naive: Linearly: with N GPUs, data moves N − 1 times forward" in told
    assert (
        "GPipe with 10 micro-batches; 1F1B with 10 micro-batches; ZB1P with 10 micro-batches: By "
        "one move each way for every border between two GPUs and every micro-batch. Moves"
    ) in told
    assert (
        "ZBV with 10 micro-batches: By one move each way for every border between two GPUs" in told
    )
    assert "at its fold, within the last GPU, nothing moves. Moves" in told
    assert "which was expected" not in told
    assert (
        "Tensor parallelism: Their number stays the same from 2 GPUs on. What all GPUs do together "
        "in a training step: nothing on 1 GPU, 20 all-reduces on 2 GPUs, of"
    ) in told
    assert cells(section)[-1]["`.to` calls per forward"] == "–"


def test_each_schedule_has_its_sentence_on_adding_gpus(tmp_path):
    section = section_of(tmp_path, "memory", *results(grid_of(tmp_path, "memory")))
    used, faster = (answer.sentences for answer in section.answers[:2])
    assert used[0].startswith("Naive: All GPUs are used, but hardly ever at the same time")
    assert used[1].startswith(
        "GPipe with 10 micro-batches; 1F1B with 10 micro-batches: All GPUs are used, but not all"
    )
    assert used[4].startswith("ZBV with 10 micro-batches: Yes: all GPUs are used, nearly all the")
    assert "on average 1.97 of 2 and 4.7 of 5 work" in used[4]
    assert faster[0].startswith("Naive: No, it makes no difference. From 1 to 5 GPUs nothing")
    assert "1F1B with 10 micro-batches: Yes. From 1 to 5 GPUs training gets faster" in "\n".join(
        faster
    )


def test_raw_values_hold_what_is_new(tmp_path):
    grid = grid_of(tmp_path, "memory")
    write(tmp_path / "results", "slurm", *results(grid))
    grid_tables = select_tables(grid, load_results(tmp_path / "results", pytest.fail))
    rows = json.loads(render_json(grid_tables, with_raw=True))[0]["rows"]
    last = rows[-1]["result"]
    assert last["transfers"]["collectives"][0]["operation"] == "all_reduce"
    assert last["environment"]["ranks"][4]["device"] == "cuda:4"
    assert rows[-2]["result"]["placement"]["stage_of_layer"][:4] == [0, 0, 1, 1]
    found = list(csv.DictReader(io.StringIO(render_csv(grid_tables, with_raw=True))))
    assert [row["case.schedule"] for row in found] == list(SCHEDULES) * 3
    assert json.loads(found[-1]["result.transfers.collectives"])[0]["calls"] == 10


def test_two_sets_are_compared_schedule_by_schedule(tmp_path):
    grid = grid_of(tmp_path, "memory")
    for name, step_s in (("old", 1.0), ("new", 1.1)):
        write(tmp_path / name, "slurm", *results(grid, step_s=step_s))
    sets = [result_set(n, load_results(tmp_path / n, pytest.fail), []) for n in ("old", "new")]
    rows = cells(make_comparison(*sets, compare_sets(*sets)))
    assert {row["schedule"] for row in rows} == set(NAMES.values())
    assert {row["verdict"] for row in rows} == {"slower"}


def test_a_key_of_some_schedules_that_was_changed_makes_one_table_with_the_others(tmp_path):
    grid = grid_of(tmp_path, "memory")
    timed = grid.with_overrides({"balance": "time"})
    given = results(timed)
    write(tmp_path / "results", "slurm", *given)
    for one in given:
        name, overrides = grid.name, {"balance": "time"}
        submit(tmp_path / "results", "slurm", one.case, grid=name, overrides=overrides)
    (grid_table,) = select_tables(grid, load_results(tmp_path / "results", pytest.fail))
    assert grid_table.changed == {"balance": "time"}
    assert all(row.measured for row in grid_table.rows)


def test_one_case_without_a_key_is_enough_for_a_table(tmp_path):
    section = section_of(tmp_path, "memory", scheduled("naive"), with_figures=True)
    assert [row["result"] == "ok" for row in cells(section)].count(True) == 1


def test_a_setting_that_only_pipelines_have_is_told_and_is_no_change(tmp_path):
    grid = grid_of(tmp_path, "memory", "balance: time")
    section = section_of(tmp_path, "memory", *results(grid), grid=grid)
    assert "balance time" in section.facts[0]
    assert not any("Changed" in fact for fact in section.facts)
