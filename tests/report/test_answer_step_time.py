"""Task 2: does more depth improve speed, and why; the answer follows the numbers."""

import pytest

from tests.report.made_up import failed, result
from tests.report.shown import answer_of, cells, only_section


def depths(times_s, **keys):
    """Task 2 with these step times."""
    return [result("task2", depth=d, step_s=s, **keys) for d, s in times_s.items()]


def test_the_table_shows_step_time_and_time_per_layer(tmp_path):
    answer_of(tmp_path, "task2", *depths({6: 0.03, 12: 0.06, 24: 0.12}))
    rows = cells(only_section(tmp_path, "task2"))
    assert [row["depth"] for row in rows] == ["6", "12", "24"]
    assert rows[0]["step time (95 % CI)"].startswith("30 ms (29.")
    assert [row["time per layer"] for row in rows] == ["5 ms"] * 3
    assert [rows[2][phase] for phase in ("forward", "backward", "optimizer")] == ["40 ms"] * 3


@pytest.mark.parametrize(
    ("deepest_s", "why"),
    [
        (0.12, "The time per layer stays about the same (from 5 ms to 5 ms)"),
        (0.06, "The time per layer falls (from 5 ms to 2.5 ms)"),
        (0.24, "The time per layer rises (from 5 ms to 10 ms)"),
    ],
)
def test_more_depth_is_slower_and_the_time_per_layer_says_why(tmp_path, deepest_s, why):
    answer = answer_of(tmp_path, "task2", *depths({6: 0.03, 12: 0.06, 24: deepest_s}))
    assert answer.startswith("No, more depth makes a step slower: from depth 6 to 24 (4 times")
    assert f"depth 24 takes {deepest_s / 0.03:.2f} times as long as depth 6" in answer
    assert why in answer


def test_if_more_depth_were_faster_the_answer_would_be_yes_with_a_doubt(tmp_path):
    answer = answer_of(tmp_path, "task2", *depths({6: 0.03, 12: 0.02, 24: 0.01}))
    assert answer.startswith("In these results, yes: from depth 6 to 24")
    assert "something else disturbed these measurements" in answer


def test_a_difference_within_the_noise_is_none(tmp_path):
    answer = answer_of(tmp_path, "task2", *depths({6: 0.1, 12: 0.1, 24: 0.1002}))
    assert answer.startswith("No difference can be seen: from depth 6 to 24")
    assert "per layer" not in answer
    assert "From depth 6 to 24 a step has 4.18 times the operations in its matrix" in answer


NOISY = (0.1, 0.14, 0.07, 0.12, 0.09, 0.13, 0.08, 0.11)


def undecided(folder, factor=1.0, **keys):
    """The answer where noise hides whether 24 layers are slower than 6."""
    steps_s = [factor * step for step in NOISY]
    both = [result("task2", depth=depth, steps_s=steps_s, **keys) for depth in (6, 24)]
    return answer_of(folder, "task2", *both)


def test_where_the_verdict_is_open_what_there_was_to_do_is_told_all_the_same(tmp_path):
    answer = undecided(tmp_path)
    assert "Whether more depth improves speed cannot be told from these results" in answer
    assert "depth 6 and depth 24 cannot be told apart" in answer
    assert (
        "From depth 6 to 24 a step has 4.18 times the operations in its matrix products; a layer "
        "took 17.5 ms, then 4.375 ms, and the products ran at 0.7 %, then 2.9 % of the rate of the "
        "fastest one: most of a step is something else, such as launching kernels"
    ) in answer


def test_products_near_the_fastest_one_leave_launching_unnamed(tmp_path):
    answer = undecided(tmp_path, factor=0.1)
    assert "the products ran at 7.0 %, then 29.0 % of the rate of the fastest one." in answer
    assert "launching" not in answer


def test_one_depth_tells_nothing(tmp_path):
    answer = answer_of(tmp_path, "task2", *depths({6: 0.03}))
    assert "cannot be told from these results: it takes two values of depth" in answer
    assert "Missing from this answer: 2 of 3 cases." in answer


def test_a_failed_depth_is_counted_as_missing(tmp_path):
    broken = failed(task="task2", depth=24)
    answer = answer_of(tmp_path, "task2", *depths({6: 0.03, 12: 0.06}), broken)
    assert "from depth 6 to 12 (2 times the layers)" in answer
    assert "Missing from this answer: 1 of 3 cases." in answer


def test_depths_measured_on_different_gpus_are_not_compared(tmp_path):
    other = depths({24: 0.06}, gpu_name="NVIDIA H100")
    answer = answer_of(tmp_path, "task2", *depths({6: 0.03, 12: 0.06}), *other)
    assert "cannot be told" in answer
    assert "on different hardware (NVIDIA A100; NVIDIA H100)" in answer


def test_emulated_and_real_depths_are_not_compared(tmp_path):
    other = depths({24: 0.12}, emulated=True)
    answer = answer_of(tmp_path, "task2", *depths({6: 0.03, 12: 0.06}), *other)
    assert "depth 24 takes" not in answer
    assert "for depth 6 and 24: some results are emulated and some are not" in answer


def test_two_timed_steps_are_too_few_to_compare(tmp_path):
    few = [result("task2", depth=d, steps_s=[0.1 * d, 0.1 * d]) for d in (6, 12, 24)]
    assert "there are too few timed steps or jobs for a confidence interval" in answer_of(
        tmp_path, "task2", *few
    )


def test_three_depths_have_a_line_with_a_slope_and_its_fit(tmp_path):
    straight = answer_of(tmp_path / "a", "task2", *depths({6: 0.04, 12: 0.07, 24: 0.13}))
    assert "A line through all 3 depths: 5 ms per layer (R² = 1.0000)." in straight
    bent = answer_of(tmp_path / "b", "task2", *depths({6: 0.04, 12: 0.12, 24: 0.13}))
    assert "(R² = 0.6" in bent


def test_two_depths_have_no_line(tmp_path):
    assert "A line" not in answer_of(tmp_path, "task2", *depths({6: 0.04, 12: 0.07}))


def test_depths_on_different_hardware_have_no_line(tmp_path):
    other = depths({12: 0.06}, gpu_name="NVIDIA H100")
    answer = answer_of(tmp_path, "task2", *depths({6: 0.03, 24: 0.12}), *other)
    assert "A line" not in answer


def test_a_case_that_ran_out_of_memory_is_named(tmp_path):
    broken = failed(task="task2", depth=24)
    answer = answer_of(tmp_path, "task2", *depths({6: 0.03, 12: 0.06}), broken)
    assert answer.endswith("1 of 3 cases. Failed: depth 24 on 2 GPUs (oom_gpu).")
