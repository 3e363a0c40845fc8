"""The table of schedules: speed-ups, bubbles, what is held and moved, and rows that say why not."""

import msgspec
import pytest

from report.data.load import load_results
from report.data.selection import select_tables
from report.sections import make_section
from tests.report.made_up import MIB, failed, grid, write
from tests.report.made_up_pipeline import peaks, scheduled
from tests.report.shown import cells


def section_of(folder, *results):
    write(folder, "slurm", *results)
    (grid_table,) = select_tables(grid("pipeline"), load_results(folder, pytest.fail))
    return make_section(grid_table)


def row_of(section, schedule, gpus="5", micro_batches="10"):
    (row,) = [
        row
        for row in cells(section)
        if row["schedule"] == schedule
        and row["GPUs"].split()[0] == gpus
        and row.get("micro-batches") in (micro_batches, "–")
    ]
    return row


def details_of(section, caption):
    (table,) = [table for table in section.details.tables if table.caption.startswith(caption)]
    return cells(table)


def test_a_row_holds_the_schedule_against_naive_on_one_gpu_and_on_as_many(tmp_path):
    results = [
        scheduled("naive", gpus=1, step_s=0.30),
        scheduled("naive", step_s=0.33),
        scheduled("1f1b", step_s=0.11),
    ]
    section = section_of(tmp_path, *results)
    row = row_of(section, "1F1B")
    assert row["speed-up over 1 GPU"] == "2.73"
    assert row["efficiency"] == "54.5 %"
    assert row["cost of a step"] == "0.550 GPU-s"
    assert row["samples/s"] == "186000"
    assert row["step time (95 % CI)"].startswith("110 ms (")
    *_, speeds = details_of(section, "Speed over the naive")
    assert speeds["over naive"].startswith("3.00 (2.9")
    assert speeds["over naive on 1 GPU"].startswith("2.73 (2.6")


@pytest.mark.parametrize(
    ("gpus", "base"), [((5,), "as many GPUs"), ((1, 5), "as many GPUs and on 1 GPU")]
)
def test_the_caption_of_speeds_names_the_bases_that_were_measured(tmp_path, gpus, base):
    naive = [scheduled("naive", gpus=n, step_s=0.3) for n in gpus]
    section = section_of(tmp_path, *naive, scheduled("1f1b", step_s=0.11))
    rows = details_of(section, f"Speed over the naive schedule on {base} (95 % CI)")
    assert rows[-1]["over naive"].startswith("2.73")


def test_the_bubble_stands_beside_its_formula_and_that_of_each_gpu_is_a_detail(tmp_path):
    section = section_of(tmp_path, scheduled("gpipe"), scheduled("1f1b", stage_takes={0: 0.5}))
    row = row_of(section, "GPipe")
    assert (row["bubble"], row["bubble by formula"]) == ("28.6 %", "28.6 %")
    assert row_of(section, "1F1B")["bubble"] == "33.3 %"
    each = [row["bubble"] for row in details_of(section, "Why GPUs wait")]
    assert {"25.9 %", "63.0 %"} <= set(each)


def test_what_must_not_be_compared_is_a_dash(tmp_path):
    results = [scheduled("naive"), scheduled("1f1b", gpu_name="NVIDIA H100")]
    section = section_of(tmp_path, *results)
    assert not [t for t in section.details.tables if t.caption.startswith("Speed over")]
    assert not [name for name in section.table.columns if "speed" in name]


def test_every_case_of_the_grid_is_a_row_and_those_without_a_measurement_say_why(tmp_path):
    section = section_of(
        tmp_path,
        scheduled("naive"),
        failed(task="pipeline", schedule="gpipe", gpus=5, micro_batches=20),
    )
    assert len(cells(section)) == 36
    row = row_of(section, "GPipe", micro_batches="20")
    assert row["result"] == "failed: oom_gpu: CUDA out of memory"
    assert row_of(section, "ZBV")["result"] == "not submitted"
    assert row_of(section, "naive")["result"] == "ok"


def test_no_measurement_at_all_is_a_table_of_reasons(tmp_path):
    (grid_table,) = select_tables(grid("pipeline"), load_results(tmp_path, pytest.fail))
    section = make_section(grid_table)
    assert {row["result"] for row in cells(section)} == {"not submitted"}
    assert "bubble" in section.table.columns
    (answer,) = section.answers
    assert "cannot be told from these results: no case has been measured." in answer.sentences[0]


def test_what_a_schedule_holds_and_moves_is_a_table_of_its_own(tmp_path):
    pipelined, reduced = (
        scheduled("1f1b", peaks=[300 * MIB, 200 * MIB, 100 * MIB, 100 * MIB, 400 * MIB]),
        scheduled("tensor", peaks=peaks(5, 150)),
    )
    section = section_of(tmp_path, pipelined, reduced)
    pipeline, tensor = details_of(section, "Micro-batches in flight")
    assert (pipeline["in flight"], pipeline["by rule"]) == ("5", "5")
    assert (pipeline["peak memory"], pipeline["fullest GPU"]) == ("400 MiB", "4")
    assert (pipeline["moves"], pipeline["moved"].split()[0]) == ("80", "3.12")
    assert tensor["collectives"] == "20 all-reduces"
    assert tensor["data of each GPU in them"].split()[0] == "7.81"
    assert (tensor["in flight"], tensor["by rule"]) == ("–", "–")


def test_every_gpu_that_waits_is_a_row_with_what_it_waits_for(tmp_path):
    rows = details_of(section_of(tmp_path, scheduled("1f1b", transfer_s=1e-3)), "Why GPUs wait")
    assert [row["GPU"] for row in rows] == ["0", "1", "2", "3", "4"]
    assert [row["in flight"] for row in rows] == [row["by rule"] for row in rows]
    assert {row["formula"] for row in rows} == {"28.6 %"}
    assert {(row["imbalance"], row["rest"]) for row in rows} == {("+0.0 %", "+0.0 %")}
    assert all(float(row["communication"].split()[0]) > 5 for row in rows)


def test_a_gpu_that_is_alone_has_no_row_there(tmp_path):
    section = section_of(tmp_path, scheduled("1f1b", gpus=1))
    assert [
        t.caption for t in section.details.tables if t.caption.startswith("Why GPUs wait")
    ] == []


def test_a_case_on_several_nodes_has_a_note(tmp_path):
    given = scheduled("1f1b", gpus=2)
    first, second = given.environment.ranks
    ranks = (first, msgspec.structs.replace(second, host="node2"))
    environment = msgspec.structs.replace(given.environment, ranks=ranks)
    section = section_of(tmp_path, msgspec.structs.replace(given, environment=environment))
    assert section.table.notes == ["The GPUs were on 2 nodes."]


def test_processes_on_a_cpu_are_called_so(tmp_path):
    section = section_of(tmp_path, scheduled("1f1b", gpu_name=None))
    assert row_of(section, "1F1B")["GPUs"] == "5 (emulated)"
    (fact,) = [fact for fact in section.facts if "EMULATED" in fact]
    assert "1 of 1 results comes from processes on the CPU, one in place of each GPU" in fact
    (row,) = details_of(section, "Micro-batches in flight")
    assert "peak memory" not in row
