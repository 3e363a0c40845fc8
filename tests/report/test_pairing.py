"""Which measurements are compared along an axis, and how a refusal names those that are not."""

import pytest

from report.analysis.comparison import (
    from_the_least,
    neighbours,
    pairs,
    refusals,
    verdict,
    why_incomparable,
)
from report.analysis.speedup import why_not_ranked
from tests.report.made_up import result
from tests.report.made_up_conditions import at_clock, case_of, warmed_up

H200 = {"gpu_name": "NVIDIA H200"}
QUESTION = "Whether adding GPUs makes training faster"
SOME_EMULATED = "some results are emulated and some are not"
OTHER_HARDWARE = "they were measured on different hardware (NVIDIA A100; NVIDIA H200)"


def gpus(times, **others):
    """Cases of the third task by their number of GPUs; others have their own changes."""
    return [
        case_of(result("task3", gpus=count, step_s=step_s, **others.get(f"on_{count}", {})))
        for count, step_s in times.items()
    ]


def values(found, key="gpus"):
    return [(getattr(p.least.case, key), getattr(p.most.case, key)) for p in found]


def told(found, key="gpus"):
    """The values of the pairs that are compared, and the sentences about the others."""
    problems = [(pair, why_incomparable(pair.least, pair.most, key)) for pair in found]
    compared = [pair for pair, problem in problems if problem is None]
    return values(compared, key), refusals(QUESTION, problems)


def g_1_ok_2_emu_3_ok():
    return gpus({1: 0.1, 2: 0.1, 3: 0.12, 4: 0.1}, on_2={"emulated": True}, on_4=H200)


def g_1_emu_rest_real():
    return gpus({1: 0.1, 2: 0.1, 3: 0.109}, on_1={"emulated": True})


def test_a_refusal_names_its_pair_and_leaves_the_others_alone():
    compared, refused = told(from_the_least(g_1_ok_2_emu_3_ok(), "gpus"))
    assert compared == [(1, 3)]
    assert refused == [
        f"{QUESTION} cannot be told from these results for 1 and 2 GPUs: {SOME_EMULATED}.",
        f"{QUESTION} cannot be told from these results for 1 and 4 GPUs: {OTHER_HARDWARE}.",
    ]


def test_where_the_least_is_emulated_the_real_ones_are_still_compared():
    compared, refused = told(from_the_least(g_1_emu_rest_real(), "gpus"))
    assert compared == [(2, 3)]
    assert refused == [
        f"{QUESTION} cannot be told from these results for 1 and 2 GPUs: {SOME_EMULATED}."
    ]


def test_two_kinds_of_hardware_are_each_compared_among_themselves():
    mixed = gpus({1: 0.1, 2: 0.1, 3: 0.1, 4: 0.1}, on_3=H200, on_4=H200)
    for found in (from_the_least(mixed, "gpus"), neighbours(mixed, "gpus"), pairs(mixed, "gpus")):
        compared, refused = told(found)
        assert compared == [(1, 2), (3, 4)]
        assert len(refused) == 1


@pytest.mark.parametrize("steps_s", [[0.1, 0.1], [0.1] * 7])
def test_the_least_that_cannot_be_compared_is_not_the_one_all_others_are_held_against(steps_s):
    few = case_of(warmed_up(result("task3", gpus=1, steps_s=steps_s), steady=False))
    compared, refused = told(from_the_least([few, *gpus({2: 0.1, 4: 0.2})], "gpus"))
    assert compared == [(2, 4)]
    assert "for 1 and 2 GPUs: there are" in refused[0]


def test_one_whose_clock_forbids_every_comparison_is_not_the_base():
    slow = case_of(at_clock(result("task3", gpus=1, step_s=0.12), 700))
    compared, _ = told(from_the_least([slow, *gpus({2: 0.1, 4: 0.08})], "gpus"))
    assert compared == [(2, 4)]


def test_neighbours_show_a_gain_that_the_ends_hide():
    """`g_mixed_1_3_2`: 100, 150, 120 and 80 ms: from 2 to 3 GPUs is a gain."""
    found = neighbours(gpus({1: 0.1, 2: 0.15, 3: 0.12, 4: 0.08}), "gpus")
    assert values(found) == [(1, 2), (2, 3), (3, 4)]
    kinds = [verdict(pair.least, pair.most).kind for pair in found]
    assert kinds == ["slower", "faster", "faster"]


@pytest.mark.parametrize(
    ("times", "kinds"),
    [
        ((0.1001, 0.2998, 0.09997), ["slower", "faster"]),  # t2_same
        ((0.1, 0.05, 0.15), ["faster", "slower"]),  # t2_middle_faster
        ((0.1, 0.3, 0.15), ["slower", "faster"]),  # t2_middle_slower
    ],
)
def test_neighbours_see_a_depth_that_is_out_of_order(times, kinds):
    depths = zip((24, 6, 12), (times[2], times[0], times[1]), strict=True)
    found = neighbours([case_of(result("task2", depth=d, step_s=s)) for d, s in depths], "depth")
    assert values(found, "depth") == [(6, 12), (12, 24)]
    assert [verdict(pair.least, pair.most).kind for pair in found] == kinds


def test_neighbours_skip_what_is_unlike_and_name_it():
    compared, refused = told(neighbours(g_1_ok_2_emu_3_ok(), "gpus"))
    assert compared == [(1, 3)]
    assert "for 1 and 2 GPUs, 2 and 3 GPUs: some results are emulated" in refused[0]
    assert "for 3 and 4 GPUs: they were measured on different hardware" in refused[1]


def test_the_last_depth_on_other_hardware_leaves_the_first_two_compared():
    """`t2_ends_other_hw`."""
    makes = [(6, {}), (12, {}), (24, H200)]
    cases = [case_of(result("task2", depth=depth, **more)) for depth, more in makes]
    for find in (neighbours, pairs, from_the_least):
        compared, refused = told(find(cases, "depth"), "depth")
        assert compared == [(6, 12)]
        assert len(refused) == 1


def test_groups_that_lack_the_same_pairs_are_named_together():
    cases = [
        case_of(result("task3", depth=depth, gpus=count, emulated=count == 1))
        for depth in (10, 20, 30)
        for count in (1, 2)
    ]
    _, refused = told(from_the_least(cases, "gpus"))
    assert refused == [
        f"{QUESTION} cannot be told from these results for 1 and 2 GPUs "
        f"(depth 10; depth 20; depth 30): {SOME_EMULATED}."
    ]


def test_of_many_refused_pairs_a_few_are_named():
    unlike = {f"on_{count}": {"emulated": True} for count in range(2, 9)}
    cases = gpus(dict.fromkeys(range(1, 9), 0.1), **unlike)
    problems = [(pair, SOME_EMULATED) for pair in from_the_least(cases, "gpus")]
    (sentence,) = refusals(QUESTION, problems)
    assert "2 and 3 GPUs, 2 and 4 GPUs, 2 and 5 GPUs, 2 and 6 GPUs, 3 more pairs:" in sentence


def test_names_are_neighbours_in_the_order_of_the_table():
    cases = [case_of(result(optimizer=name)) for name in ("sgd", "adam")]
    assert values(neighbours(cases, "optimizer"), "optimizer") == [("sgd", "adam")]


def test_one_case_has_no_neighbour():
    for find in (neighbours, pairs, from_the_least):
        assert find(gpus({2: 0.1}), "gpus") == []


def test_an_emulated_schedule_is_not_ranked_with_real_ones():
    """`s_mixed_emul`: ZBV on CPU processes is no rival of GPipe on GPUs."""
    how = {"gpus": 5, "micro_batches": 10, "depth": 20}
    real = case_of(result(schedule="gpipe", step_s=0.084, **how))
    made = case_of(result(schedule="zbv", step_s=0.064, gpu_name=None, **how))
    assert why_not_ranked(real, made) == SOME_EMULATED
