"""An axis that no task asks for, such as batch size, has an answer and a figure of its own."""

import pytest

from report.data.load import load_results
from report.data.selection import select_tables
from report.sections import make_section
from study.grid import Grid
from tests.report.made_up import result, write
from tests.report.test_figures import words

SETTING = {"depth": 20, "gpus": 2}
BATCHES = {16: 0.1, 64: 0.15, 256: 0.4}


@pytest.fixture
def section(tmp_path):
    """The section that a grid with these axes has of these results."""

    def make(axes, results, table="step_time"):
        setting = {k: v for k, v in result().case.as_dict().items() if k not in axes}
        del setting["repeat"]
        write(tmp_path, "slurm", *results)
        grid = Grid("mine", "mine.yaml", "Mine", table, axes, setting)
        (grid_table,) = select_tables(grid, load_results(tmp_path, pytest.fail))
        return make_section(grid_table, with_figures=True)

    return make


def batches(**keys):
    return [result(**SETTING, batch_size=n, step_s=s, **keys) for n, s in BATCHES.items()]


def test_a_larger_batch_is_compared_with_the_smallest(section):
    (answer,) = section({"batch_size": tuple(BATCHES)}, batches()).answers
    assert answer.startswith(
        "From batch 16 to 256 (16 times as much) the step time goes from 100 ms to 400 ms; batch "
        "256 takes 4.00 times as long as batch 16 (95 % CI 3.9"
    )
    assert answer.endswith("A row of the batch takes 6.25 ms, then 1.562 ms.")


def test_noise_leaves_it_open(section):
    noisy = [0.1, 0.14, 0.07, 0.12, 0.09, 0.13, 0.08, 0.11]
    both = [result(**SETTING, dim=dim, steps_s=noisy) for dim in (8, 16)]
    (answer,) = section({"dim": (8, 16)}, both).answers
    assert answer.startswith("Whether dim changes the step time cannot be told from these results")
    assert "from dim 8 to 16 (2 times as much) the step time goes from" in answer


def test_names_are_held_against_the_first_of_the_grid(section):
    times = {"float32": 0.2, "bfloat16": 0.1, "tf32": 0.1}
    made = [result(**SETTING, dtype=dtype, step_s=s) for dtype, s in times.items()]
    answers = section({"dtype": tuple(times)}, made).answers
    assert [answer.split(" the step")[0] for answer in answers] == [
        "From dtype float32 to bfloat16",
        "From dtype float32 to tf32",
    ]
    assert "dtype bfloat16 is 2.00 times as fast as dtype float32" in answers[0]


def test_beside_depth_it_is_told_for_each_depth(section):
    axes = {"depth": (10, 20), "batch_size": (16, 64)}
    made = [
        result(gpus=2, depth=depth, batch_size=batch, step_s=depth * batch / 1e4)
        for depth in (10, 20)
        for batch in (16, 64)
    ]
    answers = section(axes, made).answers
    assert [a[:20] for a in answers if "From batch" in a] == [
        "depth 10: From batch",
        "depth 20: From batch",
    ]
    assert any(a.startswith("batch_size 16: No, more depth makes a step slower") for a in answers)


def test_how_a_case_is_measured_is_no_axis_to_compare(section):
    made = [result(**SETTING, seed=seed) for seed in (1, 2)]
    (answer,) = section({"seed": (1, 2)}, made).answers
    assert "it takes two values of depth" in answer


def test_in_a_table_of_memory_it_is_told_instead_of_gpus_that_nobody_asked_for(section):
    given = section({"batch_size": tuple(BATCHES)}, batches(), table="memory")
    answers = given.answers
    assert answers[-1].startswith("From batch 16 to 256")
    assert not any("adding GPUs" in answer for answer in answers)
    captions = [figure.caption for figure in given.figures]
    assert captions[0].startswith("Step time against batch")


def test_the_figure_shows_every_value_and_its_median(section):
    (figure,) = section({"batch_size": tuple(BATCHES)}, batches()).figures
    assert figure.caption == "Step time against batch, medians with 95 % confidence intervals."
    assert "2 GPUs: 16 100 ms, 64 150 ms, 256 400 ms." in figure.alt
    assert {"16", "64", "256", "batch", "step time (ms)"} <= set(words(figure).split(" | "))


def test_names_stand_beside_one_another_in_the_order_of_the_grid(section):
    made = [result(**SETTING, dtype=dtype) for dtype in ("float32", "bfloat16")]
    (figure,) = section({"dtype": ("float32", "bfloat16")}, made).figures
    assert "float32 100 ms, bfloat16 100 ms." in figure.alt


def test_an_axis_beside_depth_has_both_figures(section):
    axes = {"depth": (10, 20), "batch_size": (16, 64)}
    made = [result(gpus=2, depth=d, batch_size=b) for d in (10, 20) for b in (16, 64)]
    captions = [figure.caption for figure in section(axes, made).figures]
    assert [caption.partition(",")[0] for caption in captions] == [
        "Step time against depth",
        "Step time against batch",
    ]
