"""Replicas of a pipeline in tables, answers and drawings: each stage on the GPUs of all of them."""

import msgspec
import pytest

from report.analysis.bubble import bubbles
from report.analysis.predicted_memory import predicted_of
from report.analysis.transfers import expected_moves, is_chain
from report.answers import layer_map, transfers
from report.answers.of_model import tied
from report.answers.placement_rule import answer as placement_rule
from report.data.measured import measured
from report.figures import gantt, schedule_gantt
from report.figures.layers import make_figure as draw_layers
from report.tables.cells import gpus as gpu_cells
from report.wording.names import schedule_name
from study.results.file import decode, encode
from study.schedules import PIPELINES
from tests.report.made_up import profile
from tests.report.made_up_pipeline import scheduled
from tests.report.shown import cells, shown_in, text_of

SIZES = {"gpus": 4, "micro_batches": 4, "depth": 8, "dim": 64, "batch_size": 64}
GRID = (
    "table: schedules\nmodel: {depth: 8, dim: 64, batch_size: 64}\ntrain: {dtype: bfloat16}\n"
    "axes: {gpus: [4], schedule: [naive, 1f1b, zbv], micro_batches: [4], data_parallel: [1, 2]}\n"
)


def of(schedule, replicas=2, **keys):
    return scheduled(schedule, data_parallel=replicas, **SIZES | keys)


NAIVE = scheduled("naive", step_s=0.4, **SIZES)
ONE, TWO = of("1f1b", 1, step_s=0.25), of("1f1b", step_s=0.2, together_s=0.01, optimizer_s=0.001)


def words_of(answers):
    return " ".join(sentence for answer in answers for sentence in answer.sentences)


@pytest.mark.parametrize("schedule", PIPELINES)
def test_its_result_is_plausible_and_is_read_back(schedule):
    given = of(schedule, together_s=0.01)
    assert decode(encode(given)) == given


def test_a_result_with_a_stage_on_another_replicas_gpu_is_refused():
    spans = TWO.measurement.breakdown.typical_step
    swapped = [msgspec.structs.replace(span, gpu=span.gpu ^ 1) for span in spans]
    breakdown = msgspec.structs.replace(TWO.measurement.breakdown, typical_step=swapped)
    measurement = msgspec.structs.replace(TWO.measurement, breakdown=breakdown)
    with pytest.raises(Exception, match="a stage on another GPU than its own"):
        decode(encode(msgspec.structs.replace(TWO, measurement=measurement)))


def test_an_axis_has_a_column_one_naive_case_and_the_formula_of_one_pipeline(tmp_path):
    zbv = [of("zbv", n, step_s=0.3) for n in (1, 2)]
    section, _ = shown_in(tmp_path, GRID, NAIVE, ONE, TWO, *zbv)
    rows = [(row["schedule"], row["replicas"]) for row in cells(section)]
    assert rows == [("naive", "–"), ("1F1B", "1"), ("1F1B", "2"), ("ZBV", "1"), ("ZBV", "2")]
    by_formula = [row["bubble by formula"] for row in cells(section)]
    assert by_formula[1:3] == ["42.9 %", "20.0 %"]
    text = text_of(section)
    assert "1F1B with 4 micro-batches in each of 2 replicas is the fastest" in text
    assert "average the gradients of all stages" in text
    assert "in 2 all-reduces a step." in text
    assert "for 10.0 ms of an instrumented step" in text
    (table,) = [t for t in section.details.tables if t.caption.startswith("Why GPUs wait")]
    gpus = [row["GPU"] for row in cells(table) if row["replicas"] == "2"]
    assert gpus == [f"{gpu}, replica {gpu % 2}" for gpu in range(4)] * 2


def test_a_grid_without_replicas_does_not_speak_of_them(tmp_path):
    grid = GRID.replace(", data_parallel: [1, 2]", "").replace(", zbv", "")
    section, _ = shown_in(tmp_path, grid, NAIVE, ONE)
    assert "replica" not in text_of(section) + " ".join(section.facts)
    assert "replicas" not in cells(section)[0]


def test_a_stage_has_its_layers_on_both_replicas():
    found = measured(TWO)
    assert [found.layers_of_gpu(gpu) for gpu in range(4)] == [[0, 1, 2, 3]] * 2 + [[4, 5, 6, 7]] * 2
    shown = gpu_cells.layers(found, None)
    assert list(shown.values()) == ["0–3 (4)"] * 2 + ["4–7 (4)"] * 2
    text = words_of(layer_map.answer([found]))
    assert "GPUs 0 and 1 get 4 layers each (0–3) and GPUs 2 and 3 get 4 layers each (4–7)." in text
    assert "Each of the 2 replicas has every layer." in text
    assert "one for each replica" in words_of(placement_rule([found]))
    assert "GPUs 0 and 1 layers 0–3" in draw_layers([found]).alt


def test_names_of_layers_are_those_of_both_replicas():
    own = {"kind": "gpt", "depth": 6, "heads": 2, "seq_len": 4, "vocab": 8, "tied": True}
    given = of("1f1b", together_s=0.01, **own)
    found = measured(msgspec.structs.replace(given, model=profile(given.case)))
    each = [gpu_cells.layers_of(found, gpu)["layers"] for gpu in range(4)]
    assert each[0] == each[1] != each[2] == each[3]
    assert tied.sentences([found]) == []  # its all-reduces are not of shared weights alone


def test_each_replica_moves_as_one_pipeline_does():
    assert expected_moves(TWO.case) == 8
    assert not is_chain(TWO.case)
    assert TWO.transfers.moves_forward == 8
    more = measured(of("1f1b", gpus=8, step_s=0.1))
    text = words_of(transfers.answer([measured(TWO), more]))
    assert "border between two GPUs and every micro-batch in each replica" in text
    assert "in 2 all-reduces)" in text


@pytest.mark.parametrize("schedule", PIPELINES)
def test_a_gpu_holds_what_it_would_in_one_pipeline_with_its_share_of_the_batch(schedule):
    both = predicted_of(measured(of(schedule, together_s=0.01, optimizer="adam")))
    sizes = SIZES | {"gpus": 2, "batch_size": SIZES["batch_size"] // 2}
    first, second = predicted_of(measured(scheduled(schedule, optimizer="adam", **sizes)))
    assert both == [first, first, second, second]


def test_averaging_counts_as_communication():
    without = {gpu.gpu: gpu for gpu in bubbles(measured(of("1f1b", optimizer_s=0.001)))}
    for bubble in bubbles(measured(TWO)):
        assert bubble.communication > without[bubble.gpu].communication
        parts = bubble.formula + bubble.imbalance + bubble.communication + bubble.rest
        assert parts == pytest.approx(bubble.measured)


def test_drawings_name_the_replicas():
    found = [measured(each) for each in (ONE, TWO)]
    figure = schedule_gantt.make_figure(found)
    assert "With 2 replicas, GPUs 0 and 1 have the first stage, one for each replica." in (
        figure.caption
    )
    assert figure.alt.count("1F1B with 4 micro-batches") == 2
    assert "GPU 3, replica 1" in gantt.make_figures([found[1]])[0].svg


def test_a_case_names_its_replicas_where_there_are_several():
    assert schedule_name(TWO.case) == "1F1B with 4 micro-batches in each of 2 replicas"
    assert schedule_name(ONE.case) == "1F1B with 4 micro-batches"
