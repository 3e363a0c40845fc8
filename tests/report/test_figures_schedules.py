"""The drawings of schedules: step times beside the naive one's, and steps one below the other."""

import re

import pytest

from report.data.measured import measured
from report.figures import schedule_gantt, schedules
from tests.report.made_up import measuring
from tests.report.made_up_pipeline import scheduled
from tests.report.test_figures import words

PIPELINES = ("gpipe", "1f1b", "interleaved_1f1b", "zero_bubble", "zbv")


def all_of(*names, **keys):
    return [measured(scheduled(name, **keys)) for name in names]


def test_every_schedule_is_a_row_and_every_gpu_count_a_panel():
    cases = [
        *all_of("naive", "1f1b", "tensor", gpus=2),
        *all_of("naive", "1f1b", "zbv", gpus=5),
        *all_of("naive", gpus=1),
    ]
    figure = schedules.make_figure(cases)
    drawn = words(figure)
    assert "2 GPUs" in drawn
    assert "5 GPUs" in drawn
    assert "1 GPU |" not in drawn
    assert drawn.count("1F1B |") == 1
    assert "(pipelines with 10 micro-batches)" in figure.caption
    assert drawn.count("not measured") == 2
    assert "5 GPUs, 1F1B 84 ms" in figure.alt


def test_settings_that_pipelines_have_alike_are_in_no_row_and_others_are():
    several = [*all_of("naive"), *all_of("1f1b", micro_batches=10)]
    assert "1F1B with" not in words(schedules.make_figure(several))
    several += all_of("1f1b", micro_batches=20)
    drawn = schedules.make_figure(several)
    assert {"1F1B with 10 micro-batches", "1F1B with 20 micro-batches"} <= {
        *words(drawn).split(" | ")
    }
    assert "pipelines with" not in drawn.caption


def test_one_schedule_alone_is_no_figure_for_the_first_page():
    assert schedules.make_figure(all_of("naive", "1f1b")).headline > 0
    assert schedules.make_figure([*all_of("naive", gpus=2), *all_of("naive")]).headline == 0
    assert schedules.make_figure(all_of("naive")) is None  # one bar says no more than the table


def test_what_a_formula_allows_is_drawn_of_gpus_alone():
    assert "what its formula allows" in words(schedules.make_figure(all_of("naive", "1f1b")))
    on_a_cpu = schedules.make_figure(all_of("naive", "1f1b", gpu_name=None))
    assert "what its formula allows" not in words(on_a_cpu)
    assert "emulated" in words(on_a_cpu)


def test_the_line_of_the_naive_step_is_in_the_legend():
    assert "naive on as many GPUs" in words(schedules.make_figure(all_of("naive", "1f1b")))
    assert "naive on as many GPUs" not in words(schedules.make_figure(all_of("1f1b", "zbv")))
    alone = [*all_of("naive", gpus=2), *all_of("naive")]
    assert "naive on as many GPUs" not in words(schedules.make_figure(alone))


def numbers_of(figure, text):
    """Where this text begins on the x axis of the drawing, in points."""
    found = re.search(rf"<!-- {text} -->\s*<g [^>]*translate\(([\d.]+)", figure.svg)
    return float(found[1])


def test_the_number_of_a_bar_is_inside_of_it_where_no_line_crosses_it():
    figure = schedules.make_figure(all_of("naive", "1f1b", gpus=2, step_s=0.1))
    left = min(numbers_of(figure, "0"), numbers_of(figure, "100 ms"))
    assert numbers_of(figure, "100 ms") - left < 12
    short = schedules.make_figure(
        [*all_of("naive", gpus=2, step_s=1), *all_of("1f1b", gpus=2, step_s=0.02)]
    )
    # A bar of 2 % of the axis has no room: its number is right of it.
    assert numbers_of(short, "20 ms") > numbers_of(short, "1 s") + 4
    assert short.svg.index("<!-- 20 ms -->") > short.svg.index("stroke-dasharray")  # on top


def test_one_gpu_alone_is_no_drawing_of_schedules():
    assert schedules.make_figure(all_of("naive", "1f1b", gpus=1)) is None
    assert schedule_gantt.make_figure(all_of("naive", "1f1b", gpus=1)) is None


def test_steps_stand_one_below_the_other_with_their_bubbles():
    figure = schedule_gantt.make_figure(all_of("naive", *PIPELINES))
    drawn = words(figure)
    assert "1F1B with 10 micro-batches: 84 ms, bubble 28.6 % (formula 28.6 %)" in drawn
    for kind in ("forward", "backward", "input gradient", "weight gradient", "waits"):
        assert kind in drawn
    assert "One case of each schedule" not in figure.caption
    assert "on 5 GPUs" in figure.caption
    assert figure.alt.count("bubble") == 6


def test_each_schedule_has_as_many_micro_batches_as_the_fastest_where_it_was_measured_so():
    cases = [
        *all_of("gpipe", "zbv", micro_batches=10),
        *all_of("gpipe", micro_batches=20, step_s=0.01),
    ]
    figure = schedule_gantt.make_figure(cases)
    drawn = words(figure)
    assert "One case of each schedule is drawn, with the micro-batches of the" in figure.caption
    assert "One case" not in schedule_gantt.make_figure(cases[:2]).caption
    assert "GPipe with 20 micro-batches" in drawn
    assert "ZBV with 10 micro-batches" in drawn
    assert "GPipe with 10 micro-batches" not in drawn


def test_where_cases_differ_otherwise_those_like_the_fastest_are_drawn_and_say_in_what():
    cases = [
        *all_of("gpipe", recompute="none", step_s=0.01),
        *all_of("gpipe", recompute="layers", step_s=0.02),
        *all_of("zbv", recompute="layers", step_s=0.03),
        *all_of("zbv", recompute="none", step_s=0.04),
    ]
    figure = schedule_gantt.make_figure(cases)
    drawn = words(figure)
    assert "GPipe with 10 micro-batches, recompute none: 10 ms" in drawn
    assert "ZBV with 10 micro-batches, recompute none: 40 ms" in drawn
    assert "recompute layers" not in drawn
    assert "is drawn, with the recompute of the fastest pipeline." in figure.caption


@pytest.mark.parametrize(("gradients", "is_said"), [("separate", True), ("fused", False)])
def test_the_first_stage_computes_its_gradients_at_once_where_they_are_separate(gradients, is_said):
    figure = schedule_gantt.make_figure(all_of("1f1b", "zero_bubble", gradients=gradients))
    assert ("The first stage sends no gradient on" in figure.caption) is is_said


def test_steps_without_instruments_are_not_drawn():
    given = measuring(scheduled("1f1b"), breakdown=None)
    assert schedule_gantt.make_figure([measured(given)]) is None


@pytest.mark.parametrize("make", [schedules.make_figure, schedule_gantt.make_figure])
def test_the_same_results_give_the_same_drawing(make):
    first, second = (make(all_of("naive", "1f1b", "tensor")) for _ in range(2))
    assert first == second


def test_tensor_parallelism_is_drawn_with_what_all_do_together():
    cases = all_of("naive", "1f1b", gpus=2) + all_of("tensor", gpus=2, together_s=0.02)
    drawn = words(schedule_gantt.make_figure(cases))
    assert "Tensor parallelism: 190 ms, bubble 21.1 %" in drawn
    assert "collective" in drawn


def test_an_interval_that_would_flatten_the_bars_is_cut_off_and_said_so():
    wild = scheduled("zbv", gpus=2, step_s=0.1)
    wild = measuring(wild, median_ci_s=(0.09, 5.0))
    figure = schedules.make_figure([*all_of("naive", "1f1b", gpus=2), measured(wild)])
    assert figure.caption.endswith("(2 GPUs, ZBV to 5 s).")
    assert " | 800" not in words(figure)  # milliseconds: the axis ends near twice the longest
