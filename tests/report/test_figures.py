"""The drawings of a report: which there are, what is written in them, and that they are stable."""

import itertools
import re
import subprocess
import sys
from html import unescape
from xml.etree import ElementTree

import msgspec
import pytest

from report.analysis.depth_fit import fit_depth
from report.analysis.transfers import expected_moves
from report.data.load import load_results
from report.data.measured import measured
from report.data.selection import select_tables
from report.figures import depth, gantt, layers, memory, moves
from report.figures.style import GPU_COLOURS, draw
from report.sections import make_section
from report.wording.units import SIZES, TIMES, unit_for
from tests.report.made_up import MIB, case, failed, grid, measuring, result, sharing, write

pytestmark = pytest.mark.long


def figures(folder, task, *results):
    """The figures of the one table of these results, then those of its details."""
    write(folder, "slurm", *results)
    (grid_table,) = select_tables(grid(task), load_results(folder, pytest.fail))
    section = make_section(grid_table, with_figures=True)
    return [*section.figures, *section.details.figures]


def words(figure):
    """All that is written in the drawing: matplotlib leaves the text beside the letters' shapes."""
    return unescape(" | ".join(re.findall(r"<!-- (.*?) -->", figure.svg, re.DOTALL)))


def results_of(task, **keys):
    """A result for each case of the task."""
    return [result(task, depth=c.depth, gpus=c.gpus, **keys) for c in grid(task).cases()]


def drawings_of(made):
    """Every kind of drawing of these results."""
    shown = [measured(r) for r in made]
    makers = [depth, layers, memory, moves]
    return [*(maker.make_figure(shown) for maker in makers), *gantt.make_figures(shown)]


FIGURES_OF_TASKS = {
    "task1": ["The GPU of each layer", "What each GPU does"],
    "task2": ["Step time against depth"],
    "task3": ["The GPU of each layer"],
    "task4": [
        "Step time for each GPU count",
        "What each GPU does during a step, 2 GPUs",
        "What each GPU does during a step, 5 GPUs",
        "Memory of each GPU",
    ],
    "task5": ["Moves of data"],
}


@pytest.mark.parametrize("task", FIGURES_OF_TASKS)
def test_each_task_has_its_figures(task, tmp_path):
    made = figures(tmp_path, task, *results_of(task))
    starts = FIGURES_OF_TASKS[task]
    assert [f.caption[: len(s)] for f, s in zip(made, starts, strict=True)] == starts
    assert all(figure.alt and "NVIDIA A100" in words(figure) for figure in made)


@pytest.mark.parametrize("task", FIGURES_OF_TASKS)
def test_what_was_emulated_is_marked_within_every_drawing(task, tmp_path):
    shared = figures(tmp_path / "gpu", task, *results_of(task, emulated=True))
    on_cpu = figures(tmp_path / "cpu", task, *results_of(task, gpu_name=None))
    assert shared
    assert on_cpu
    for made, mark in ((shared, "emulated on one GPU"), (on_cpu, "emulated on the CPU")):
        assert all(mark in words(figure) and mark in figure.alt for figure in made)


def test_emulated_beside_real_says_which_is_which(tmp_path):
    made = figures(tmp_path, "task4", result(gpus=2), result(gpus=5, emulated=True))
    count, real, logical, peaks = map(words, made)
    marked = "emulated on one GPU: 5 GPUs · NVIDIA A100"
    assert marked in count
    assert marked in peaks
    assert "emulated" not in real
    assert "timed steps 100 ms | emulated on one GPU · NVIDIA A100" in logical
    assert "| 5 GPUs (emulated): " in logical
    assert "predicted only" in peaks


def test_nothing_is_called_emulated_on_real_gpus(tmp_path):
    made = figures(tmp_path, "task4", *results_of("task4"))
    assert not any("emulated" in words(f) + f.alt for f in made)


@pytest.mark.parametrize("task", FIGURES_OF_TASKS)
def test_nothing_is_drawn_without_a_measurement(task, tmp_path):
    cases = grid(task).cases()
    assert figures(tmp_path, task) == []
    assert figures(tmp_path, task, *(failed(task=task, gpus=c.gpus) for c in cases)) == []


@pytest.mark.parametrize("task", FIGURES_OF_TASKS)
def test_one_case_of_one_step_can_be_drawn(task, tmp_path):
    first = case(task)
    short = result(task, depth=first.depth, gpus=first.gpus, steps_s=[0.1])
    assert short.measurement.median_ci_s is None
    assert figures(tmp_path, task, short)


def test_the_same_results_give_the_same_bytes(tmp_path):
    first = figures(tmp_path / "a", "task4", *results_of("task4"))
    assert figures(tmp_path / "b", "task4", *results_of("task4")) == first


def test_another_process_gives_the_same_bytes():
    code = (
        "from report.figures.style import draw\n"
        "print(draw(2, 'here', lambda d: d.subplots().bar([1], [2], hatch='//', label='x')))"
    )
    done = [subprocess.run([sys.executable, "-c", code], capture_output=True) for _ in range(2)]
    assert done[0].stdout.startswith(b"<svg")
    assert done[0].stdout == done[1].stdout


def test_a_users_style_changes_nothing():
    import matplotlib

    plain = draw(2, "here", lambda drawing: drawing.subplots())
    with matplotlib.rc_context({"axes.facecolor": "red", "font.size": 20, "svg.fonttype": "none"}):
        styled = draw(2, "here", lambda drawing: drawing.subplots())
        assert matplotlib.rcParams["font.size"] == 20
    assert styled == plain


def test_an_svg_is_well_formed_and_needs_nothing_from_elsewhere(tmp_path):
    for figure in figures(tmp_path, "task4", *results_of("task4")):
        assert ElementTree.fromstring(figure.svg).tag.endswith("svg")
        targets = re.findall(r'(?:href="|url\()(.)', figure.svg)
        assert set(targets) == {"#"}
        assert "<text" not in figure.svg


def test_figures_on_one_page_share_no_ids(tmp_path):
    made = figures(tmp_path, "task4", *results_of("task4"))
    ids = [set(re.findall(r'\bid="([^"]+)"', figure.svg)) for figure in made]
    assert len(set.union(*ids)) == sum(map(len, ids))
    for figure, own in zip(made, ids, strict=True):
        used = re.findall(r'(?:href="#|url\(#)([^")]+)', figure.svg)
        assert set(used) <= own


def test_the_slope_of_the_step_times_is_the_time_per_layer(tmp_path):
    made = [result("task2", depth=d, step_s=0.005 + 0.002 * d) for d in (6, 12, 24)]
    (figure,) = figures(tmp_path, "task2", *made)
    assert "2 GPUs: 2.00 ms per layer (95 % CI 1.97 to 2.03 ms)" in words(figure)
    assert "2.00 ms per layer" in figure.alt
    assert "step time (ms)" in words(figure)


def test_two_depths_have_no_line(tmp_path):
    made = [result("task2", depth=d, step_s=0.002 * d) for d in (6, 12)]
    (figure,) = figures(tmp_path, "task2", *made)
    assert "per layer" not in words(figure)
    assert "least-squares" not in figure.caption


def test_step_times_that_are_all_equal_have_no_line():
    same = [measured(result("task2", depth=d, step_s=0.1)) for d in (6, 12, 24)]
    assert fit_depth(same) is None


def test_what_differs_besides_depth_is_a_series_of_its_own(tmp_path):
    made = [
        result("task2", depth=d, gpus=1, split="even", step_s=per_layer * d, execution=execution)
        for execution, per_layer in (("eager", 0.004), ("cuda_graph", 0.001))
        for d in (6, 12, 24)
    ]
    figure = depth.make_figure([measured(r) for r in made])
    assert "1 GPU, eager: 4.00 ms per layer" in words(figure)
    assert "1 GPU, cuda_graph: 1.00 ms per layer" in words(figure)


def test_emulated_and_real_depths_share_no_line():
    real = [result("task2", depth=d, step_s=0.001 * d) for d in (6, 12)]
    figure = depth.make_figure([measured(r) for r in [*real, result("task2", emulated=True)]])
    assert "per layer" not in words(figure)


@pytest.mark.parametrize("gpus", [1, 2, 5, 8])
def test_moves_have_the_closed_form(gpus):
    seen = result("task5", depth=20, gpus=gpus).transfers
    assert expected_moves(case(gpus=gpus)) == seen.moves_forward == seen.moves_backward


def test_moves_are_told_both_ways(tmp_path):
    (figure,) = figures(tmp_path, "task5", *results_of("task5"))
    assert "N − 1" in words(figure)
    assert "5 GPUs: 4 forward (4 MiB), 4 backward (4 MiB); N − 1 is 4." in figure.alt


def test_bytes_are_drawn_only_where_moves_differ_in_size(tmp_path):
    same, *_ = figures(tmp_path / "same", "task5", *results_of("task5"))
    assert "every move carries 1 MiB" in same.caption
    assert "moved a step" not in words(same)
    sizes = [measured(result("task5", gpus=2)), measured(result("task5", gpus=5, batch_size=128))]
    assert "moved a step, each way (MiB)" in words(moves.make_figure(sizes))


def test_neighbouring_gpus_have_different_colours():
    around = [*GPU_COLOURS, GPU_COLOURS[0]]
    assert all(one != other for one, other in itertools.pairwise(around))


def test_a_layer_is_a_cell_and_of_many_layers_those_of_a_gpu_are_one():
    few = measured(result("task1", depth=6))
    many = measured(result("task1", depth=1000, split="even", gpus=3))
    assert layers.cells(few, 6) == [(i, 1, i // 3) for i in range(6)]
    assert layers.cells(many, 1000) == [(0, 334, 0), (334, 333, 1), (667, 333, 2)]
    assert layers.make_figure([few, many]).alt.count("layers") >= 5


def test_a_case_without_instrumented_steps_has_no_gantt(tmp_path):
    plain = [measuring(r, breakdown=None) for r in results_of("task4")]
    captions = [f.caption for f in figures(tmp_path, "task4", *plain)]
    assert not any(caption.startswith(gantt.CAPTION) for caption in captions)
    (half,) = gantt.make_figures([measured(plain[0]), measured(result(gpus=5))])
    assert "GPU 4" in words(half)
    assert "2 GPUs" not in words(half)


def steps_of(step_s_of_gpus):
    return gantt.make_figures([measured(result(gpus=g, step_s=s)) for g, s in step_s_of_gpus])


def test_timelines_share_an_axis_and_say_so():
    two, five = steps_of([(2, 0.1), (5, 0.2)])
    assert "2 GPUs; all on one time axis" in two.caption
    assert "5 GPUs; all on one time axis" in five.caption
    ticks = [re.findall(r"\| (\d+) (?=\|)", words(figure)) for figure in (two, five)]
    assert ticks[0] == ticks[1]


def test_timelines_of_very_different_lengths_have_axes_of_their_own_and_say_so():
    two, three = steps_of([(2, 10), (3, 0.01)])
    assert "each has a time axis of its own" in two.caption
    assert "each has a time axis of its own" in three.caption
    assert "(s)" in words(two)
    assert "(ms)" in words(three)


def slowed(result_given, factor):
    """The same, with timed steps that were this many times as fast as the instrumented ones."""
    faster = [step_s / factor for step_s in result_given.measurement.step_times_s]
    return measured(measuring(result_given, step_times_s=faster, median_ci_s=None))


def test_a_timeline_of_slower_steps_says_by_how_much_and_is_no_headline():
    (figure,) = gantt.make_figures([slowed(result(gpus=2, step_s=0.1), 1.25)])
    assert "The step is an instrumented one, 25.0 % longer than timed steps" in figure.caption
    assert "timed steps 80 ms" in words(figure)
    assert figure.headline == 0


def test_a_timeline_of_steps_as_long_as_the_timed_ones_needs_no_warning():
    (figure,) = gantt.make_figures([measured(result(gpus=2, step_s=0.1))])
    assert "The step is an instrumented one. A GPU" in figure.caption
    assert "time since the step began (ms)" in words(figure)
    assert figure.headline > 0


def test_a_timeline_of_emulated_gpus_is_no_headline():
    (figure,) = gantt.make_figures([measured(result(gpus=2, emulated=True))])
    assert figure.headline == 0


def test_a_timeline_says_what_a_gpu_waits_for():
    (figure,) = gantt.make_figures([measured(result(gpus=5))])
    assert "in forward for the layers before its own" in figure.caption
    assert "until the whole backward pass is launched" in figure.caption
    (alone,) = gantt.make_figures([measured(result(gpus=1))])
    assert "waits for its next kernel" in alone.caption


def test_timelines_alone_have_details_that_zooming_shows(tmp_path):
    bars, *steps, peaks = figures(tmp_path, "task4", *results_of("task4"))
    assert all(figure.zooms for figure in steps)
    assert not bars.zooms
    assert not peaks.zooms


def test_short_timelines_stand_in_one_drawing():
    (figure,) = steps_of([(1, 0.1), (2, 0.1)])
    assert "1 GPU" in words(figure)
    assert "2 GPUs" in words(figure)


def test_memory_without_peaks_is_not_drawn(tmp_path):
    made = [sharing(r, 100 * MIB) for r in results_of("task4", emulated=True)]
    captions = [f.caption for f in figures(tmp_path, "task4", *made)]
    assert not any(caption.startswith(memory.CAPTION) for caption in captions)


def test_memory_names_predicted_parts_and_the_measured_peak():
    peak = 2048 * MIB
    figure = memory.make_figure([measured(result(gpus=2, optimizer="adam", peaks=[peak] * 2))])
    named = ("parameters", "gradients", "optimizer", "activations", "measured peak")
    assert all(word in words(figure) for word in named)
    assert "measured 2 GiB" in figure.alt


def test_emulated_gpus_are_predicted_to_have_a_workspace_each_though_they_share_one():
    made = result(gpus=2, emulated=True)
    first, second = made.measurement.per_gpu
    first = msgspec.structs.replace(first, workspace_bytes=4096 * MIB)
    known = msgspec.structs.replace(made.measurement, per_gpu=[first, second])
    made = msgspec.structs.replace(made, measurement=known)
    figure = memory.make_figure([measured(result(gpus=2)), measured(made)])
    assert figure.alt.count("predicted 5.") == 2


def test_a_peak_below_the_prediction_leaves_no_rest():
    figure = memory.make_figure([measured(result(gpus=2, peaks=[MIB, MIB]))])
    assert "rest" not in words(figure)


@pytest.mark.parametrize("name", ["$A_1$ and $", r"\frac{$", "数 ☃ 🦄", "<b>&--</b>"])
def test_a_name_is_text_whatever_is_in_it(name):
    shown = drawings_of([result(gpus=2, gpu_name=name), result(gpus=5, gpu_name=name)])
    for figure in shown:
        assert name.replace("--", "- -") in words(figure)  # as XML's comments are
        ElementTree.fromstring(figure.svg)


def test_a_grid_of_many_cases_is_drawn_in_part_and_says_so():
    some = [measured(result(depth=200, gpus=gpus)) for gpus in range(1, 81)]
    assert "the first 6 of 64 cases" in gantt.make_figures(some)[0].caption
    assert "the first 16 of 80 cases" in layers.make_figure(some).caption
    assert "the first 8 of 64 cases" in memory.make_figure(some).caption


def test_repeats_are_one_point(tmp_path):
    jobs = [result("task2", depth=6, repeat=n) for n in (1, 2, 3)]
    (figure,) = figures(tmp_path, "task2", *jobs)
    assert figure.alt.count("depth 6") == 1
    assert "repeat" not in words(figure)


def test_units_follow_the_greatest_value():
    assert unit_for(2.0, TIMES) == (1.0, "s")
    assert unit_for(2e-3, TIMES) == (1e-3, "ms")
    assert unit_for(2e-6, TIMES) == (1e-6, "µs")
    assert unit_for(0, SIZES) == (2**10, "KiB")


def test_a_config_of_one_gpu_moves_nothing():
    alone = measured(msgspec.structs.replace(result("task5", gpus=1)))
    assert "0 forward (0 B)" in moves.make_figure([alone]).alt


def test_a_case_of_very_many_gpus_has_no_row_for_each_of_them():
    huge = [measured(result(depth=4096, gpus=4096))]
    assert gantt.make_figures(huge) == []
    assert memory.make_figure(huge) is None


def huge_interval(**keys):
    given = result(**keys)
    return measuring(given, median_ci_s=(0.09, 5.0))


@pytest.mark.parametrize("task", ["task2", "task4"])
def test_an_interval_that_would_flatten_all_others_is_cut_off_and_named(task, tmp_path):
    first, second = grid(task).cases()[:2]
    keys = [{"task": task, "depth": c.depth, "gpus": c.gpus} for c in (first, second)]
    figure, *_ = figures(tmp_path, task, result(**keys[0]), huge_interval(**keys[1]))
    assert "; an arrow where an interval goes on (" in figure.caption
    assert figure.caption.endswith(" to 5 s).")
    assert " | 250" not in words(figure)  # milliseconds: the axis ends at twice the median


def test_where_every_interval_fits_none_is_cut_off(tmp_path):
    for figure in figures(tmp_path, "task4", *results_of("task4")):
        assert "arrow" not in figure.caption
