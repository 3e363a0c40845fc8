"""Where a grid crosses two axes, each answer compares what differs in one of them alone."""

import pytest

from report.data.load import load_results
from report.data.selection import select_tables
from report.sections import make_section
from study.grids.grid import Grid
from tests.report.made_up import result, write

STEPS_S = {(10, 1): 0.1, (10, 2): 0.05, (20, 1): 0.2, (20, 2): 0.4}


def answers(folder, table, points):
    """The sentences on these (depth, GPU count) points of one grid, by question."""
    axes = {"depth": (10, 20), "gpus": (1, 2)}
    setting = result().case.as_dict()
    del setting["depth"], setting["gpus"]
    grid = Grid("mine", "mine.yaml", "Mine", table, axes, setting)
    measured = [result(depth=d, gpus=g, step_s=STEPS_S[d, g]) for d, g in points]
    write(folder, "slurm", *measured)
    (grid_table,) = select_tables(grid, load_results(folder, pytest.fail))
    found = make_section(grid_table).answers
    return {answer.question: list(answer.sentences) for answer in found}


FASTER = "Does adding GPUs make training faster?"
DEPTH = "Does more depth make a step faster?"


def test_adding_gpus_is_told_for_each_depth(tmp_path):
    shallow, shrank, deep, reason = answers(tmp_path, "memory", STEPS_S)[FASTER]
    assert shallow.startswith("Depth 10: Yes. From 1 to 2 GPUs training gets faster")
    assert deep.startswith("Depth 20: No. From 1 to 2 GPUs training gets slower")
    assert shrank.startswith("Depth 10: From 1 to 2 GPUs, an instrumented step takes 50")
    assert reason.startswith("Depth 20: Perfect sharing would take 50 %")


def test_the_use_of_gpus_and_their_memory_are_told_for_each_depth(tmp_path):
    found = answers(tmp_path, "memory", STEPS_S)
    (used,) = found["Are all GPUs used?"]
    assert used.startswith(
        "Depth 10; Depth 20: All GPUs are used, but hardly ever at the same time"
    )
    peaks = found["How much memory does each GPU use?"]
    assert [line.partition(":")[0] for line in peaks] == ["Depth 10", "Depth 20"]


def test_more_depth_is_told_for_each_gpu_count(tmp_path):
    found = answers(tmp_path, "step_time", STEPS_S)
    one, two = found[DEPTH]
    assert one.startswith("1 GPU: No, more depth makes a step slower. From depth 10 to 20")
    assert two.startswith("2 GPUs: No, more depth makes a step slower")
    steady, rising = found["Why, and what does each layer add?"]
    assert steady.startswith("1 GPU: The layers run one after another, so each one adds its time")
    assert rising.startswith("2 GPUs: The average per layer rises")


def test_a_missing_point_costs_only_the_comparison_it_is_part_of(tmp_path):
    found = answers(tmp_path, "memory", [(10, 1), (20, 1), (20, 2)])
    assert found[FASTER][0].startswith("Depth 20: No. From 1 to 2 GPUs training gets slower")
    assert found[""][-1] == (
        "Missing from this answer: 1 of 4 cases. Without a result: depth 10, 2 GPUs."
    )


def test_points_that_differ_in_both_axes_are_not_compared(tmp_path):
    (adding,) = answers(tmp_path, "memory", [(10, 1), (20, 2)])[FASTER]
    assert adding.endswith("cannot be told from these results: the cases differ in depth, too.")


def test_moves_are_counted_for_each_depth(tmp_path):
    calls, growth = list(answers(tmp_path, "transfers", STEPS_S).values())[:2]
    assert calls[0].startswith("Depth 10: 10 calls in one forward pass, one before each layer.")
    assert calls[1].startswith("Depth 20: 20 calls in one forward pass")
    assert growth[0].startswith("Depth 10; Depth 20: Linearly: with N GPUs")
