"""Where a grid crosses two axes, each answer compares what differs in one of them alone."""

import pytest

from report.data.load import load_results
from report.data.selection import select_tables
from report.sections import make_section
from study.grid import Grid
from tests.report.made_up import result, write

STEPS_S = {(10, 1): 0.1, (10, 2): 0.05, (20, 1): 0.2, (20, 2): 0.4}


def answers(folder, table, points):
    """The sentences on these (depth, GPU count) points of one grid."""
    axes = {"depth": (10, 20), "gpus": (1, 2)}
    setting = result().case.as_dict()
    del setting["depth"], setting["gpus"]
    grid = Grid("mine", "mine.yaml", "Mine", table, axes, setting)
    measured = [result(depth=d, gpus=g, step_s=STEPS_S[d, g]) for d, g in points]
    write(folder, "slurm", *measured)
    (grid_table,) = select_tables(grid, load_results(folder, pytest.fail))
    return make_section(grid_table).answers


def test_adding_gpus_is_told_for_each_depth(tmp_path):
    *_, shallow, deep = answers(tmp_path, "memory", STEPS_S)
    assert shallow.startswith("depth 10: Adding GPUs makes training faster: 2 GPUs are 2.00 times")
    assert deep.startswith("depth 20: Adding GPUs makes training slower: 2 GPUs take 2.00 times")


def test_more_depth_is_told_for_each_gpu_count(tmp_path):
    one, steady, two, rising = answers(tmp_path, "step_time", STEPS_S)
    assert one.startswith("gpus 1: No, more depth makes a step slower: from depth 10 to 20")
    assert steady.startswith("The time per layer stays about the same")
    assert two.startswith("gpus 2: No, more depth makes a step slower")
    assert rising.startswith("The time per layer rises")


def test_a_missing_point_costs_only_the_comparison_it_is_part_of(tmp_path):
    points = [(10, 1), (20, 1), (20, 2)]
    *_, deep, missing = answers(tmp_path, "memory", points)
    assert deep.startswith("depth 20: Adding GPUs makes training slower")
    assert missing == "Missing from this answer: 1 of 4 cases."


def test_points_that_differ_in_both_axes_are_not_compared(tmp_path):
    *_, adding, _ = answers(tmp_path, "memory", [(10, 1), (20, 2)])
    assert adding.endswith("cannot be told from these results: the cases differ in depth, too.")
