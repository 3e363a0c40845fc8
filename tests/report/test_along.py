"""An axis that no task asks for, such as batch size, has an answer and a figure of its own."""

import pytest

from report.answers import make_answers
from report.data.load import load_results
from report.data.selection import select_tables
from report.figures import make_figures
from study.grid import Grid
from tests.report.made_up import result, write
from tests.report.test_figures import words

SETTING = {"depth": 20, "gpus": 2}
BATCHES = {16: 0.1, 64: 0.15, 256: 0.4}


@pytest.fixture
def grid_table(tmp_path):
    """What a grid with these axes shows of these results."""

    def make(axes, results, table="step_time"):
        setting = {k: v for k, v in result().case.as_dict().items() if k not in axes}
        del setting["repeat"]
        write(tmp_path, "slurm", *results)
        grid = Grid("mine", "mine.yaml", "Mine", table, axes, setting)
        (grid_table,) = select_tables(grid, load_results(tmp_path, pytest.fail))
        return grid_table

    return make


def batches(**keys):
    return [result(**SETTING, batch_size=n, step_s=s, **keys) for n, s in BATCHES.items()]


def test_a_larger_batch_is_compared_with_the_smallest(grid_table):
    (answer,) = make_answers(grid_table({"batch_size": tuple(BATCHES)}, batches()))
    assert answer.startswith(
        "From batch 16 to 256 (16 times as much) the step time goes from 100 ms to 400 ms; batch "
        "256 takes 4.00 times as long as batch 16 (95 % CI 3.9"
    )
    assert answer.endswith("A row of the batch takes 6.25 ms, then 1.562 ms.")


def test_noise_leaves_it_open(grid_table):
    noisy = [0.1, 0.14, 0.07, 0.12, 0.09, 0.13, 0.08, 0.11]
    both = [result(**SETTING, dim=dim, steps_s=noisy) for dim in (8, 16)]
    (answer,) = make_answers(grid_table({"dim": (8, 16)}, both))
    assert answer.startswith("Whether dim changes the step time cannot be told from these results")
    assert "from dim 8 to 16 (2 times as much) the step time goes from" in answer


def test_names_are_held_against_the_first_of_the_grid(grid_table):
    times = {"float32": 0.2, "bfloat16": 0.1, "tf32": 0.1}
    made = [result(**SETTING, dtype=dtype, step_s=s) for dtype, s in times.items()]
    answers = make_answers(grid_table({"dtype": tuple(times)}, made))
    assert [answer.split(" the step")[0] for answer in answers] == [
        "From dtype float32 to bfloat16",
        "From dtype float32 to tf32",
    ]
    assert "dtype bfloat16 is 2.00 times as fast as dtype float32" in answers[0]


def test_beside_depth_it_is_told_for_each_depth(grid_table):
    axes = {"depth": (10, 20), "batch_size": (16, 64)}
    made = [
        result(gpus=2, depth=depth, batch_size=batch, step_s=depth * batch / 1e4)
        for depth in (10, 20)
        for batch in (16, 64)
    ]
    answers = make_answers(grid_table(axes, made))
    assert [a[:20] for a in answers if "From batch" in a] == [
        "depth 10: From batch",
        "depth 20: From batch",
    ]
    assert any(a.startswith("batch_size 16: No, more depth makes a step slower") for a in answers)


def test_how_a_case_is_measured_is_no_axis_to_compare(grid_table):
    made = [result(**SETTING, seed=seed) for seed in (1, 2)]
    (answer,) = make_answers(grid_table({"seed": (1, 2)}, made))
    assert "it takes two values of depth" in answer


def test_in_a_table_of_memory_it_is_told_instead_of_gpus_that_nobody_asked_for(grid_table):
    given = grid_table({"batch_size": tuple(BATCHES)}, batches(), table="memory")
    answers = make_answers(given)
    assert answers[-1].startswith("From batch 16 to 256")
    assert not any("adding GPUs" in answer for answer in answers)
    captions = [figure.caption for figure in make_figures(given)]
    assert captions[0].startswith("Step time against batch")


def test_the_figure_shows_every_value_and_its_median(grid_table):
    (figure,) = make_figures(grid_table({"batch_size": tuple(BATCHES)}, batches()))
    assert figure.caption == "Step time against batch, medians with 95 % confidence intervals."
    assert "2 GPUs: 16 100 ms, 64 150 ms, 256 400 ms." in figure.alt
    assert {"16", "64", "256", "batch", "step time (ms)"} <= set(words(figure).split(" | "))


def test_names_stand_beside_one_another_in_the_order_of_the_grid(grid_table):
    made = [result(**SETTING, dtype=dtype) for dtype in ("float32", "bfloat16")]
    (figure,) = make_figures(grid_table({"dtype": ("float32", "bfloat16")}, made))
    assert "float32 100 ms, bfloat16 100 ms." in figure.alt


def test_an_axis_beside_depth_has_both_figures(grid_table):
    axes = {"depth": (10, 20), "batch_size": (16, 64)}
    made = [result(gpus=2, depth=d, batch_size=b) for d in (10, 20) for b in (16, 64)]
    captions = [figure.caption for figure in make_figures(grid_table(axes, made))]
    assert [caption.partition(",")[0] for caption in captions] == [
        "Step time against depth",
        "Step time against batch",
    ]
