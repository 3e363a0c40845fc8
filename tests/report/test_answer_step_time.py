"""Task 2: does more depth improve speed, and why; the answer follows the numbers."""

import pytest

from report.analysis.depth_fit import fit_depth
from report.answers import step_time
from report.data.measured import measured
from tests.report.made_up import failed, measuring, result, steady
from tests.report.shown import answer_of, cells, only_section

DOUBT = "something else disturbed these measurements."


def depths(times_s, **keys):
    """Task 2 with these step times."""
    return [result("task2", depth=d, step_s=s, **keys) for d, s in times_s.items()]


def answers(folder, *given):
    """The answers to Q1 and Q2, and remarks."""
    answer_of(folder, "task2", *given)
    return [" ".join(answer.sentences) for answer in only_section(folder, "task2").answers]


def test_the_table_shows_step_time_and_time_per_layer(tmp_path):
    answer_of(tmp_path, "task2", *depths({6: 0.03, 12: 0.06, 24: 0.12}))
    rows = cells(only_section(tmp_path, "task2"))
    assert [row["depth"] for row in rows] == ["6", "12", "24"]
    assert [row["time per layer"].replace("5.00", "5") for row in rows] == ["5 ms"] * 3


def test_more_depth_is_slower_from_each_depth_to_the_next(tmp_path):
    answer, why, *_ = answers(tmp_path, *depths({6: 0.03, 12: 0.06, 24: 0.12}))
    assert answer.startswith("No, more depth makes a step slower. From depth 6 to 12, with 30")
    assert "depth 12 takes 2.0" in answer
    assert "From depth 12 to 24, with 60" in answer
    assert why.startswith("The layers run one after another")


def test_a_fixed_cost_and_a_cost_per_layer_explain_the_average(tmp_path):
    _, why, *_ = answers(tmp_path, *depths({6: 0.0024, 12: 0.0039, 24: 0.0069}))
    assert "each extra layer adds about 250 µs (95 % CI 24" in why
    assert "a straight line through depths 6, 12 and 24, R² = 1.0000" in why
    assert "About 900 µs (95 % CI 8" in why
    assert "of every step does not depend on the depth: 38 % of a step at depth 6, 13 % at" in why
    assert "so the average per layer falls from 400 µs at depth 6 to 288 µs at depth 24" in why
    assert "towards the 250 µs that a layer adds." in why


def test_without_a_fixed_cost_none_is_claimed(tmp_path):
    _, why, *_ = answers(tmp_path, *depths({6: 0.03, 12: 0.06, 24: 0.12}))
    assert "A fixed cost a step cannot be told from none" in why
    assert "does not depend on the depth" not in why


def test_first_layers_that_add_less_are_not_explained(tmp_path):
    _, why, *_ = answers(tmp_path, *depths({6: 0.02, 12: 0.05, 24: 0.11}))
    assert "but the first ones add less: the average per layer rises from 3.33 ms" in why
    assert "These results do not say why." in why


def test_the_second_gpu_does_not_help_since_the_gpus_take_turns(tmp_path):
    _, why, *_ = answers(tmp_path, *depths({6: 0.03, 12: 0.06, 24: 0.12}))
    assert (
        "The second GPU does not shorten this, since the GPUs take turns: at depth 24, on average "
        "0.67 of 2 compute at the same time."
    ) in why
    emulated = answers(tmp_path / "cpu", *depths({6: 0.03, 12: 0.06, 24: 0.12}, gpu_name=None))
    assert "take turns" not in emulated[1]


def test_no_turns_are_claimed_where_no_step_was_instrumented(tmp_path):
    given = [measuring(r, breakdown=None) for r in depths({6: 0.03, 12: 0.06, 24: 0.12})]
    assert "take turns" not in answers(tmp_path, *given)[1]


def test_if_more_depth_were_faster_the_answer_would_be_yes_with_a_doubt(tmp_path):
    answer, *rest = answers(tmp_path, *depths({6: 0.03, 12: 0.02, 24: 0.01}))
    assert answer.startswith("In these results, yes. From depth 6 to 12")
    assert answer.endswith(DOUBT)
    assert rest == []


@pytest.mark.parametrize(
    ("times_s", "where"),
    [
        ({6: 0.1001, 12: 0.2998, 24: 0.09997}, "from depth 12 to 24, a step gets faster"),
        ({6: 0.1, 12: 0.05, 24: 0.15}, "from depth 6 to 12, a step gets faster"),
        ({6: 0.1, 12: 0.3, 24: 0.15}, "from depth 12 to 24, a step gets faster"),
    ],
    ids=["t2_same", "t2_middle_faster", "t2_middle_slower"],
)
def test_a_depth_out_of_order_is_named_and_gets_no_line(tmp_path, times_s, where):
    answer, *rest = answers(tmp_path, *depths(times_s))
    assert answer.startswith(f"There is no clear answer: {where}. From depth 6 to 12")
    assert answer.endswith(DOUBT)
    assert rest == []
    assert fit_depth([measured(r) for r in depths(times_s)]) is None


def test_a_difference_within_the_noise_is_none(tmp_path):
    answer, why, *_ = answers(
        tmp_path,
        *(
            result("task2", depth=d, steps_s=steady(s))
            for d, s in ((6, 0.1), (12, 0.1), (24, 0.1002))
        ),
    )
    assert answer.startswith("No difference can be seen. From depth 6 to 12")
    assert "straight line" not in why
    assert "From depth 12 to 24 a step has 2.03 times the operations in its matrix" in why


def test_slower_and_no_different_is_nowhere_faster(tmp_path):
    answer, why, *_ = answers(tmp_path, *depths({6: 0.1, 12: 0.1, 24: 0.2}))
    assert answer.startswith("Nowhere here does more depth make a step faster. From depth 6 to 12")
    assert why.startswith("From depth 6 to 12 a step has 2.06 times the operations")


NOISY = (0.1, 0.14, 0.07, 0.12, 0.09, 0.13, 0.08, 0.11)


def undecided(folder, factor=1.0, **keys):
    """The answer where noise hides whether 24 layers are slower than 6."""
    steps_s = [factor * step for step in NOISY]
    both = [result("task2", depth=depth, steps_s=steps_s, **keys) for depth in (6, 24)]
    return answer_of(folder, "task2", *both)


def test_where_the_verdict_is_open_what_there_was_to_do_is_told_all_the_same(tmp_path):
    answer = undecided(tmp_path)
    assert answer.startswith("Whether more depth improves speed cannot be told from these results.")
    assert "depth 6 and depth 24 cannot be told apart" in answer
    assert "From depth 6 to 24 a step has 4.18 times the operations in its matrix" in answer
    assert (
        "and the products run at 0.7 %, then 2.9 % of the rate of the fastest one: at "
        "that rate they would take less than 10 % of a step." in answer
    )


def test_products_near_the_fastest_one_leave_launching_unnamed(tmp_path):
    answer = undecided(tmp_path, factor=0.1)
    assert "the products run at 7.0 %, then 29.0 % of the rate of the fastest one." in answer
    assert "launching" not in answer


def test_one_depth_tells_nothing(tmp_path):
    answer = answer_of(tmp_path, "task2", *depths({6: 0.03}))
    assert "cannot be told from these results: it takes two values of depth" in answer
    assert "Missing from this answer: 2 of 3 cases." in answer


def test_a_failed_depth_is_counted_as_missing(tmp_path):
    broken = failed(task="task2", depth=24)
    answer = answer_of(tmp_path, "task2", *depths({6: 0.03, 12: 0.06}), broken)
    assert "From depth 6 to 12" in answer
    assert answer.endswith("1 of 3 cases. Failed: depth 24 on 2 GPUs (out of memory on a GPU).")


def test_a_depth_on_other_gpus_does_not_silence_those_on_the_same(tmp_path):
    other = depths({24: 0.06}, gpu_name="NVIDIA H100")
    answer = answer_of(tmp_path, "task2", *depths({6: 0.03, 12: 0.06}), *other)
    assert answer.startswith("No, more depth makes a step slower. From depth 6 to 12")
    assert (
        "Whether more depth improves speed cannot be told from these results between depth 12 and "
        "24: they were measured on different hardware (NVIDIA A100; NVIDIA H100)."
    ) in answer
    assert "straight line" not in answer


def test_a_depth_in_the_middle_on_other_gpus_is_left_out_of_the_comparison(tmp_path):
    other = depths({12: 0.06}, gpu_name="NVIDIA H100")
    answer = answer_of(tmp_path, "task2", *depths({6: 0.03, 24: 0.12}), *other)
    assert answer.startswith("No, more depth makes a step slower. From depth 6 to 24")
    assert "between depth 6 and 12: they were measured on different hardware" in answer
    assert "between depth 12 and 24" not in answer


def test_emulated_and_real_depths_are_not_compared(tmp_path):
    other = depths({24: 0.12}, emulated=True)
    answer = answer_of(tmp_path, "task2", *depths({6: 0.03, 12: 0.06}), *other)
    assert "between depth 12 and 24: some results are emulated and some are not" in answer


def test_two_timed_steps_are_too_few_to_compare(tmp_path):
    few = [result("task2", depth=d, steps_s=[0.1 * d, 0.1 * d]) for d in (6, 12, 24)]
    assert "there are too few timed steps or jobs for a confidence interval" in answer_of(
        tmp_path, "task2", *few
    )


def test_times_off_a_straight_line_have_no_cost_per_layer(tmp_path):
    _, why, *_ = answers(tmp_path, *depths({6: 0.04, 12: 0.12, 24: 0.13}))
    assert "The times are not on a straight line (R² = 0.67), so no cost per layer is given" in why
    assert "a layer takes 6.67 ms, 10 ms and 5.42 ms at depth 6, 12 and 24" in why
    assert "each extra layer adds" not in why


def test_two_depths_have_no_line(tmp_path):
    _, why, *_ = answers(tmp_path, *depths({6: 0.04, 12: 0.07}))
    assert "The average per layer falls from 6.67 ms at depth 6 to 5.83 ms at depth 12" in why
    assert "straight line" not in why


def test_the_interval_of_a_slope_is_that_of_its_medians():
    """Each median is known to about 1.2 %, jobs included; the slope is half as steep in two."""
    fit = fit_depth([measured(r) for r in depths({6: 0.03, 12: 0.06, 24: 0.12})])
    assert fit is not None
    assert fit.slope.low < 0.005 < fit.slope.high
    assert 0.02 < (fit.slope.high - fit.slope.low) / 0.005 < 0.06
    assert fit.intercept.low < 0 < fit.intercept.high


def test_each_gpu_count_has_its_own_sentence():
    points = [(6, 1, 0.03), (12, 1, 0.06), (6, 2, 0.03), (12, 2, 0.02)]
    given = [measured(result(depth=d, gpus=g, step_s=s)) for d, g, s in points]
    answer, _ = step_time.answer(given)
    assert [line[:20] for line in answer.sentences] == [
        "1 GPU: No, more dept",
        "2 GPUs: In these res",
    ]


def test_the_headline_has_the_times_and_the_cost_of_a_layer():
    given = [measured(r) for r in depths({6: 0.0024, 12: 0.0039, 24: 0.0069})]
    (line,) = step_time.headlines(given)
    assert line.startswith("Depth: more depth makes a step slower, from 2.4")
    assert "at depth 24 on 2 GPUs: each extra layer adds about 250 µs (95 % CI" in line
    odd = [measured(r) for r in depths({6: 0.1, 12: 0.05, 24: 0.15})]
    assert step_time.headlines(odd)[0].startswith("Depth: There is no clear answer: from depth 6")


def test_the_cost_of_launching_names_its_case():
    given = [
        measured(result("task2", depth=d, gpus=1, split="even", step_s=s, execution=execution))
        for execution, factor in (("eager", 2), ("cuda_graph", 1))
        for d, s in ((6, 0.01 * factor), (12, 0.02 * factor))
    ]
    launching = step_time.answer(given)[0].sentences
    assert launching[0].startswith("Depth 6: CUDA graphs are ")
    assert launching[1].startswith("Depth 12: CUDA graphs are ")


def test_emulated_depths_are_said_to_be_so_once():
    given = [measured(r) for r in depths({6: 0.03, 12: 0.06, 24: 0.12}, gpu_name=None)]
    (sentence,) = step_time.answer(given)[0].sentences
    assert sentence.startswith(
        "No, more depth makes a step slower, on GPUs that were emulated by the CPU. From depth 6"
    )
    assert sentence.count("emulated") == 1
