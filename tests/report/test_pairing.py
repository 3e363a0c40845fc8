"""Which measurements are compared along an axis, and how a refusal names those that are not."""

import pytest

from report.analysis.comparison import pairs
from report.analysis.speedup import why_not_ranked
from report.answers.along import along, refusals_along
from tests.report.made_up import result
from tests.report.made_up_conditions import at_clock, case_of, warmed_up

WORDS = {"gpus": "GPUs", "depth": "depths"}
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


def told(cases, key="gpus"):
    """The values of the pairs that are compared, and the sentences about the others."""
    (group,) = along(cases, key)
    return values(group.compared, key), refusals_along(group, QUESTION, key, f"{{}} {WORDS[key]}")


def g_1_ok_2_emu_3_ok():
    return gpus({1: 0.1, 2: 0.1, 3: 0.12, 4: 0.1}, on_2={"emulated": True}, on_4=H200)


def g_1_emu_rest_real():
    return gpus({1: 0.1, 2: 0.1, 3: 0.109}, on_1={"emulated": True})


def test_a_refusal_names_its_cases_and_leaves_the_others_alone():
    compared, refused = told(g_1_ok_2_emu_3_ok())
    assert compared == [(1, 3)]
    assert refused == [
        f"{QUESTION} cannot be told from these results between 1 and 2 GPUs: {SOME_EMULATED}.",
        f"{QUESTION} cannot be told from these results between 3 and 4 GPUs: {OTHER_HARDWARE}.",
    ]


def test_where_the_least_is_emulated_the_real_ones_are_still_compared():
    compared, refused = told(g_1_emu_rest_real())
    assert compared == [(2, 3)]
    assert refused == [
        f"{QUESTION} cannot be told from these results between 1 and 2 GPUs: {SOME_EMULATED}."
    ]


def test_two_kinds_of_hardware_are_each_compared_among_themselves():
    mixed = gpus({1: 0.1, 2: 0.1, 3: 0.1, 4: 0.1}, on_3=H200, on_4=H200)
    compared, refused = told(mixed)
    assert compared == [(1, 2), (3, 4)]
    assert len(refused) == 1
    assert values(pairs(mixed, "gpus")) == [(1, 2), (3, 4), (1, 3)]


@pytest.mark.parametrize("steps_s", [[0.1, 0.1], [0.1] * 7])
def test_the_least_that_cannot_be_compared_is_not_the_one_all_others_are_held_against(steps_s):
    few = case_of(warmed_up(result("task3", gpus=1, steps_s=steps_s), steady=False))
    compared, refused = told([few, *gpus({2: 0.1, 4: 0.2})])
    assert compared == [(2, 4)]
    assert "between 1 and 2 GPUs: there are" in refused[0]


def test_one_whose_clock_forbids_every_comparison_is_not_the_base():
    slow = case_of(at_clock(result("task3", gpus=1, step_s=0.12), 700))
    compared, _ = told([slow, *gpus({2: 0.1, 4: 0.08})])
    assert compared == [(2, 4)]


def test_neighbours_show_a_gain_that_the_ends_hide():
    """`g_mixed_1_3_2`: 100, 150, 120 and 80 ms: from 2 to 3 GPUs is a gain."""
    (group,) = along(gpus({1: 0.1, 2: 0.15, 3: 0.12, 4: 0.08}), "gpus")
    assert values(group.compared) == [(1, 2), (2, 3), (3, 4)]
    assert group.kinds == ["slower", "faster", "faster"]


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
    cases = [case_of(result("task2", depth=d, step_s=s)) for d, s in depths]
    (group,) = along(cases, "depth")
    assert values(group.compared, "depth") == [(6, 12), (12, 24)]
    assert group.kinds == kinds


def test_the_last_depth_on_other_hardware_leaves_the_first_two_compared():
    """`t2_ends_other_hw`."""
    makes = [(6, {}), (12, {}), (24, H200)]
    cases = [case_of(result("task2", depth=depth, **more)) for depth, more in makes]
    compared, refused = told(cases, "depth")
    assert compared == [(6, 12)]
    assert len(refused) == 1
    assert values(pairs(cases, "depth"), "depth") == [(6, 12), (6, 24)]


def test_every_group_has_its_own_refusal():
    cases = [
        case_of(result("task3", depth=depth, gpus=count, emulated=count == 1))
        for depth in (10, 20)
        for count in (1, 2)
    ]
    found = along(cases, "gpus")
    refused = [text for group in found for text in refusals_along(group, QUESTION, "gpus", "{}")]
    assert [text.partition(": ")[0] for text in refused] == ["Depth 10", "Depth 20"]


def test_names_are_compared_with_the_first_of_the_table():
    cases = [case_of(result(optimizer=name)) for name in ("sgd", "adam")]
    (group,) = along(cases, "optimizer")
    assert values(group.compared, "optimizer") == [("sgd", "adam")]


def test_one_case_has_no_neighbour():
    assert along(gpus({2: 0.1}), "gpus") == pairs(gpus({2: 0.1}), "gpus") == []


def test_an_emulated_schedule_is_not_ranked_with_real_ones():
    """`s_mixed_emul`: ZBV on CPU processes is no rival of GPipe on GPUs."""
    how = {"gpus": 5, "micro_batches": 10, "depth": 20}
    real = case_of(result(schedule="gpipe", step_s=0.084, **how))
    made = case_of(result(schedule="zbv", step_s=0.064, gpu_name=None, **how))
    assert why_not_ranked(real, made) == SOME_EMULATED
