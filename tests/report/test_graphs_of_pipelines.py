"""Eager steps beside CUDA graphs of the same pipelines: what launching costs, and whose numbers."""

import pytest

from report.analysis.predicted_memory import predicted_of
from report.analysis.verdicts.cautions import places_of
from report.data.labels import schedule_label
from report.data.load import load_results
from report.data.measured import measured
from report.data.selection import select_tables
from report.method import make_method
from report.tidy import tidy_rows
from study.grids.file import load_grids
from tests.report.made_up import measuring, steady
from tests.report.made_up_pipeline import scheduled
from tests.report.shown import cells, shown_in

GRID = """
title: "Launching"
table: schedules
axes: {schedule: [1f1b, zbv], execution: [eager, cuda_graph]}
model: {depth: 20, gpus: 4, dim: 4096, batch_size: 640}
pipeline: {micro_batches: 10}
"""
HEADING = "launching (of an eager step)"
NOTE = "The step is one CUDA graph; bubble, waits and shares come from instrumented steps"


def steadily(schedule, execution, step_s):
    keys = {"gpus": 4, "depth": 20, "batch_size": 640, "micro_batches": 10}
    made = scheduled(schedule, step_s=step_s, execution=execution, **keys)
    return measuring(made, step_times_s=steady(step_s), median_ci_s=None)


EAGER = [steadily("1f1b", "eager", 0.1), steadily("zbv", "eager", 0.09)]
GRAPHS = [steadily("1f1b", "cuda_graph", 0.08), steadily("zbv", "cuda_graph", 0.09)]


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    section, _ = shown_in(tmp_path_factory.mktemp("graphs"), GRID, *EAGER, *GRAPHS)
    return section


def test_launching_is_told_for_each_pair_that_differs_in_execution_alone(shown):
    (answer,) = [a for a in shown.answers if a.question.startswith("What does launching")]
    first, second = answer.sentences
    assert first.startswith("1F1B with 10 micro-batches: CUDA graphs take 20.0 % less")
    assert first.endswith(
        "with 80 ms and 100 ms a step. Launching takes 20 ms (20.0 %) of an eager step."
    )
    assert second.startswith("ZBV with 10 micro-batches: ")
    assert "o detectable difference" in second
    assert "Launching takes" not in second


def test_the_table_has_the_cost_of_launching_in_the_row_of_eager_steps(shown):
    found = {(row["schedule"], row["execution"]): row[HEADING] for row in cells(shown)}
    assert found == {
        ("1F1B", "eager"): "20 ms (20.0 %)",
        ("1F1B", "cuda_graph"): "–",
        ("ZBV", "eager"): "–",
        ("ZBV", "cuda_graph"): "–",
    }


def test_without_graphs_there_is_no_such_column_nor_question(tmp_path):
    text = GRID.replace(", cuda_graph", "")
    section, _ = shown_in(tmp_path, text, *EAGER)
    assert HEADING not in cells(section)[0]
    assert not any(a.question.startswith("What does launching") for a in section.answers)


def test_rows_of_graphs_say_that_their_instrumented_steps_are_eager(shown):
    marked = [row for row in cells(shown) if row["execution"] == "cuda_graph"]
    (line,) = [line for line in shown.table.notes if NOTE in line]
    assert all(line.partition("  ")[0] in row["notes"] for row in marked)
    (sentence,) = [s for s in make_method([measured(r) for r in GRAPHS]) if "CUDA graph" in s]
    assert "instrumented steps are eager" in sentence
    assert not any("CUDA graph" in s for s in make_method([measured(r) for r in EAGER]))


@pytest.mark.parametrize(("graph_s", "has_bubble"), [(0.098, True), (0.08, False)])
def test_a_graph_much_faster_than_its_instrumented_steps_has_no_bubble(
    tmp_path, graph_s, has_bubble
):
    made = scheduled("1f1b", gpus=4, depth=20, batch_size=640, execution="cuda_graph", step_s=0.1)
    graph = measuring(made, step_times_s=steady(graph_s), median_ci_s=None)
    section, _ = shown_in(tmp_path, GRID, EAGER[0], graph)
    row = cells(section)[1]
    notes = " ".join(section.table.notes)
    assert (row["bubble"] != "–") is has_bubble
    assert (NOTE in notes) is has_bubble
    assert ("differ from the graph's by over 10 %" in notes) is not has_bubble
    (table,) = select_tables(load_grids([str(tmp_path / "mine.yaml")])[0],
                             load_results(tmp_path / "results", pytest.fail))  # fmt: skip
    assert (tidy_rows(table)[1]["bubble"] is not None) is has_bubble


def test_what_launching_takes_has_the_digits_that_its_interval_supports(tmp_path):
    noisy = [0.1] * 20 + [0.104] * 5 + [0.096] * 20
    eager = measuring(EAGER[0], step_times_s=noisy, median_ci_s=None)
    graph = measuring(GRAPHS[0], step_times_s=steady(0.093), median_ci_s=None)
    section, _ = shown_in(tmp_path, GRID, eager, graph)
    (answer,) = [a for a in section.answers if a.question.startswith("What does launching")]
    assert answer.sentences[0].endswith("Launching takes about 7 ms (7 %) of an eager step.")
    assert cells(section)[0][HEADING] == "about 7 ms (7 %)"


def test_a_drawing_calls_a_graph_a_graph():
    given = [measured(result) for result in (EAGER[0], GRAPHS[0])]
    assert [schedule_label(result, given) for result in given] == [
        "1F1B, eager steps",
        "1F1B, CUDA graphs",
    ]
    assert places_of(*given) == ("with eager steps", "with CUDA graphs")


def test_schedules_are_ranked_apart_by_execution_and_graphs_miss_no_naive_case(shown):
    said = " ".join(s for answer in shown.answers for s in answer.sentences)
    assert "Eager steps: On 4 GPUs ZBV with 10 micro-batches is the fastest" in said
    assert "CUDA graphs: On 4 GPUs 1F1B with 10 micro-batches is the fastest" in said
    assert said.count("These shares are those of eager steps") == 1  # where they are of the graph
    assert "faster than naive" not in said  # which has no graph, and no place in the table


def test_a_graph_without_eager_steps_is_named_where_others_have_them(tmp_path):
    section, _ = shown_in(tmp_path, GRID, EAGER[0], *GRAPHS)
    (answer,) = [a for a in section.answers if a.question.startswith("What does launching")]
    first, second = answer.sentences
    assert first.startswith("CUDA graphs take 20.0 % less") or "1F1B" in first
    assert second == ("ZBV with 10 micro-batches on 4 GPUs has no eager steps to be compared with.")


def test_the_least_memory_is_that_of_eager_cases_where_others_are_graphs(shown):
    (best,) = [a for a in shown.answers if a.question.startswith("What is best")]
    assert "the least memory" in best.sentences[0]
    assert "of the 2 eager cases (" in best.sentences[0]


def test_the_memory_of_a_graph_of_several_processes_is_not_predicted():
    assert predicted_of(measured(GRAPHS[0])) is None
    assert predicted_of(measured(EAGER[0])) is not None
