"""An axis that no task asks for, such as batch size, has an answer and a figure of its own."""

import pytest

from report.answers import step_time
from report.data.load import load_results
from report.data.measured import measured
from report.data.selection import select_tables
from report.sections import make_section
from study.grids.grid import Grid
from tests.report.made_up import result, steady, write
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


def sentences_of(section):
    """All sentences, by the question they answer."""
    return {answer.question: list(answer.sentences) for answer in section.answers}


BATCH = "Does batch change the step time?"


def test_each_batch_is_compared_with_the_one_before_it(section):
    (sentence,) = sentences_of(section({"batch_size": tuple(BATCHES)}, batches()))[BATCH]
    assert sentence.startswith("Yes. From batch 16 to 64, with 100 ms and 150 ms a step: batch 64 ")
    assert "From batch 64 to 256, with 150 ms and 400 ms a step: batch 256 takes 2.6" in sentence
    assert sentence.replace("0 ms", " ms").endswith(
        "A row of the batch takes 6.25 ms at batch 16, 2.34 ms at batch 64, 1.56 ms at batch 256."
    )


def test_a_value_in_the_middle_that_differs_is_not_passed_over(section):
    made = [result(**SETTING, batch_size=n, step_s=s) for n, s in ((64, 1), (128, 5), (256, 1))]
    (sentence,) = sentences_of(section({"batch_size": (64, 128, 256)}, made))[BATCH]
    assert sentence.startswith("Yes, but not in one direction. From batch 64 to 128")
    assert "no detectable difference" not in sentence


def test_noise_leaves_it_open(section):
    noisy = [0.1, 0.14, 0.07, 0.12, 0.09, 0.13, 0.08, 0.11]
    both = [result(**SETTING, dim=dim, steps_s=noisy) for dim in (8, 16)]
    ((sentence,),) = sentences_of(section({"dim": (8, 16)}, both)).values()
    assert sentence.startswith(
        "Whether dim changes the step time cannot be told from these results"
    )
    assert "From dim 8 to 16, with" in sentence


def test_equal_times_are_no_difference(section):
    both = [result(**SETTING, dim=dim, steps_s=steady(0.1)) for dim in (8, 16)]
    ((sentence,),) = sentences_of(section({"dim": (8, 16)}, both)).values()
    assert sentence.startswith("No difference can be seen. From dim 8 to 16")


def test_names_are_compared_with_the_first_of_the_grid(section):
    times = {"float32": 0.2, "bfloat16": 0.1, "tf32": 0.1}
    made = [result(**SETTING, dtype=dtype, step_s=s) for dtype, s in times.items()]
    ((sentence,),) = sentences_of(section({"dtype": tuple(times)}, made)).values()
    assert sentence.startswith("Yes. From dtype float32 to bfloat16, with")
    assert "From dtype float32 to tf32, with" in sentence
    assert "dtype bfloat16 is 2.0" in sentence


def test_sentences_on_emulated_gpus_say_so(section):
    made = batches(gpu_name=None)
    (sentence,) = sentences_of(section({"batch_size": tuple(BATCHES)}, made))[BATCH]
    assert sentence.startswith("Yes, on GPUs that were emulated by the CPU. From batch 16 to 64")
    assert sentence.count("emulated") == 1


def test_a_value_on_other_hardware_is_refused_by_name(section):
    made = [result(**SETTING, dim=8), result(**SETTING, dim=16, gpu_name="NVIDIA H200")]
    ((sentence,),) = sentences_of(section({"dim": (8, 16)}, made)).values()
    assert sentence.startswith(
        "Whether dim changes the step time cannot be told from these results between dim 8 and 16: "
        "they were measured on different hardware"
    )


def test_beside_depth_it_is_told_for_each_depth(section):
    axes = {"depth": (10, 20), "batch_size": (16, 64)}
    made = [
        result(gpus=2, depth=depth, batch_size=batch, step_s=depth * batch / 1e4)
        for depth in (10, 20)
        for batch in (16, 64)
    ]
    found = sentences_of(section(axes, made))
    assert [sentence[:20] for sentence in found[BATCH]] == [
        "Depth 10: Yes. From ",
        "Depth 20: Yes. From ",
    ]
    depths = found["Does more depth make a step faster?"]
    assert depths[0].startswith("Batch 16: No, more depth makes a step slower")


def test_how_a_case_is_measured_is_no_axis_to_compare(section):
    made = [result(**SETTING, seed=seed) for seed in (1, 2)]
    ((sentence,),) = sentences_of(section({"seed": (1, 2)}, made)).values()
    assert "it takes two values of depth" in sentence


def test_in_a_table_of_memory_it_is_told_instead_of_gpus_that_nobody_asked_for(section):
    given = section({"batch_size": tuple(BATCHES)}, batches(), table="memory")
    found = sentences_of(given)
    assert found[BATCH][0].startswith("Yes. From batch 16 to 64")
    assert "Does adding GPUs make training faster?" not in found
    captions = [figure.caption for figure in given.figures]
    assert captions[0].startswith("Step time against batch")


def test_the_headline_begins_with_the_axis():
    made = [measured(one) for one in batches()]
    assert step_time.headlines(made)[0].startswith("Batch: Yes. From batch 16 to 64")


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
