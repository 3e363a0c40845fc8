"""What makes the comparison of two measurements less than certain, or forbids it."""

import re
from dataclasses import replace

import pytest

from report.analysis.comparison import cautions, verdict_words, why_incomparable
from report.analysis.speedup import factor_over
from report.analysis.verdicts.disturbances import disturbances
from report.wording.cautions import spelled_out
from study.results.environment import RankPlace
from tests.report.made_up import result
from tests.report.made_up_conditions import (
    at_clock,
    case_of,
    environment,
    from_commit,
    warmed_up,
    without_nvml,
)

QUIET = [0.0008 * (1 + 0.01 * (k % 7 - 3)) for k in range(939)]
SLOW = [0.25 * (1 + 0.01 * k) for k in range(7)]


def two_and_five(five_s, change=lambda given: given):
    """2 GPUs with 100 ms a step, and 5 under other conditions."""
    return case_of(result(gpus=2, step_s=0.1)), case_of(change(result(gpus=5, step_s=five_s)))


def words(few, many):
    return spelled_out(verdict_words(few, many, "2 GPUs", "5 GPUs", plural=True))


def figures_of(text):
    """Figures of more than two digits, but for clocks and numbers of steps."""
    return re.findall(r"\d+\.\d{2,}|\d{3,}\.\d", text)


# --- clocks ---


@pytest.mark.parametrize("mhz", [700, 900])
def test_a_gpu_at_a_lower_clock_forbids_to_call_its_side_slower(mhz):
    few, many = two_and_five(0.13, lambda given: at_clock(given, mhz, gpu=3))
    assert why_incomparable(few, many, "gpus") == (
        f"GPU 3 ran at {mhz} of 1410 MHz on 5 GPUs, and that can be all of the difference"
    )


def test_what_is_slower_by_more_than_its_clock_is_lower_is_slower():
    few, many = two_and_five(0.3, lambda given: at_clock(given, 1200))
    assert why_incomparable(few, many, "gpus") is None
    assert words(few, many) == (
        "5 GPUs take about 3.0 times as long as 2 GPUs "
        "(caution: GPU 0 ran at 1200 of 1410 MHz on 5 GPUs)"
    )


def test_what_is_faster_in_spite_of_its_clock_is_faster():
    few, many = two_and_five(0.05, lambda given: at_clock(given, 900))
    assert why_incomparable(few, many, "gpus") is None
    assert words(few, many).startswith("5 GPUs are about 2.0 times as fast as 2 GPUs (caution: ")


def test_a_clock_that_the_same_power_cap_lowered_is_a_caution():
    few, many = two_and_five(0.13, lambda given: at_clock(given, 900, reasons=["sw_power_cap"]))
    assert why_incomparable(few, many, "gpus") is None
    assert words(few, many) == (
        "5 GPUs take about 30 % more time than 2 GPUs "
        "(caution: GPU 0 ran at 900 of 1410 MHz on 5 GPUs (power cap))"
    )


def test_the_clock_of_the_first_side_is_told_as_well():
    capped = at_clock(result(gpus=1), 1000, 1100, reasons=["sw_power_cap"])
    found = cautions(case_of(capped), case_of(result(gpus=2, step_s=0.093)))
    assert found == ["GPU 0 ran at 1000 to 1100 of 1410 MHz on 1 GPU (power cap)"]


@pytest.mark.parametrize("both", [(1400, 1400), (900, 900), (1410, 1350)])
def test_clocks_that_are_alike_are_no_caution(both):
    sides = [case_of(at_clock(result(gpus=n), mhz)) for n, mhz in zip((1, 2), both, strict=True)]
    sides[1] = case_of(at_clock(at_clock(result(gpus=2), both[1]), both[1], gpu=1))
    assert cautions(*sides) == []


def test_a_clock_that_wanders_is_no_other_clock():
    few, many = two_and_five(0.1, lambda given: at_clock(given, 1400, 1230))
    assert cautions(few, many) == []
    assert cautions(*two_and_five(0.1, lambda given: at_clock(given, 1400, 900)))


@pytest.mark.parametrize("reason", ["hw_thermal_slowdown", "sw_thermal_slowdown"])
def test_heat_is_a_caution_whatever_the_clock(reason):
    hot = at_clock(result(gpus=5), 1400, reasons=[reason])
    found = cautions(case_of(result(gpus=2)), case_of(hot))
    assert found == ["a GPU was throttled (thermal slowdown) on 5 GPUs"]


def test_of_repeats_all_clocks_count():
    cool, hot = case_of(result(gpus=2)), case_of(at_clock(result(gpus=2, repeat=2), 700))
    both = replace(cool, repeats=[hot])
    assert disturbances(both) == ["GPU 0 at 700 to 1400 of 1410 MHz"]
    assert cautions(case_of(result(gpus=1)), both)


@pytest.mark.parametrize("sides", [(False, True), (True, False)])
def test_where_nvml_told_nothing_of_one_side_it_is_said(sides):
    pair = [result(gpus=2), result(gpus=5)]
    pair = [without_nvml(r) if blind else r for r, blind in zip(pair, sides, strict=True)]
    (found,) = cautions(*map(case_of, pair))
    assert found == f"clocks and throttling unknown on {5 if sides[1] else 2} GPUs"
    assert disturbances(case_of(pair[sides.index(True)])) == ["clocks and throttling unknown"]


def test_where_nvml_told_nothing_at_all_each_case_has_it_in_its_notes():
    pair = [case_of(without_nvml(result(gpus=gpus))) for gpus in (2, 5)]
    assert cautions(*pair) == []
    assert {*map(str, map(disturbances, pair))} == {"['clocks and throttling unknown']"}
    assert disturbances(case_of(result(gpus=5, gpu_name=None))) == []


# --- warm-up and steps ---


def test_a_warm_up_that_was_not_steady_is_told_behind_a_rough_figure():
    few, many = two_and_five(0.2, lambda given: warmed_up(given, steady=False))
    text = words(few, many)
    assert text.startswith("5 GPUs take about")
    assert text.endswith(" (caution: warm-up was not steady on 5 GPUs)")
    assert not figures_of(text)


def test_a_warm_up_too_short_to_tell_is_told_behind_the_figure():
    few, many = two_and_five(0.2, lambda given: warmed_up(given, steady=None))
    told = "; caution: warm-up was too short to tell whether it was steady on 5 GPUs)"
    assert words(few, many).endswith(told)


def test_what_holds_for_both_sides_names_none():
    sides = [case_of(warmed_up(result(gpus=gpus), steady=False)) for gpus in (2, 5)]
    assert cautions(*sides) == ["warm-up was not steady"]


@pytest.mark.parametrize("steady", [None, False])
def test_seven_steps_after_an_unsteady_warm_up_have_no_verdict(steady):
    """A disturbed run once was `310.06 times as fast`: 7 steps of 250 ms beside 939 of 0.8 ms."""
    sgd = case_of(warmed_up(result(optimizer="sgd", gpu_name=None, steps_s=SLOW), steady))
    adam = case_of(result(optimizer="adam", gpu_name=None, steps_s=QUIET))
    assert why_incomparable(sgd, adam, "optimizer") == (
        "there are only 7 timed steps after a warm-up that "
        f"{'is not known to have' if steady is None else 'had not'} become steady"
    )
    assert "7 timed steps" in disturbances(sgd)


def test_few_steps_have_a_rough_verdict():
    sgd = case_of(result(optimizer="sgd", gpu_name=None, steps_s=SLOW))
    adam = case_of(result(optimizer="adam", gpu_name=None, steps_s=QUIET))
    assert why_incomparable(sgd, adam, "optimizer") is None
    text = spelled_out(verdict_words(sgd, adam, "optimizer sgd", "optimizer adam"))
    assert text == (
        "optimizer adam is about 300 times as fast as optimizer sgd "
        "(caution: there are only 7 timed steps with optimizer sgd)"
    )


def test_thirty_steps_are_not_few():
    steps = [0.1 + 0.001 * (k % 5) for k in range(30)]
    pair = [case_of(result(gpus=2, steps_s=steps)), case_of(result(gpus=5))]
    assert cautions(*pair) == []
    assert cautions(case_of(result(gpus=2, steps_s=steps[1:])), pair[1])


# --- hosts, transports, variables, code ---


def test_another_job_on_the_host_is_a_caution_and_changes_no_digit_on_gpus():
    few, many = case_of(result(gpus=2, step_s=0.1)), case_of(result(gpus=5, step_s=0.2), "node1")
    assert words(few, many).endswith("; caution: on 5 GPUs, another job ran on the same host)")
    assert "about" not in words(few, many)
    assert disturbances(many) == ["ran beside another job on host node1"]


def test_another_job_on_the_cpu_that_computes_leaves_a_rough_figure():
    pair = [
        result(depth=depth, gpus=2, gpu_name=None, step_s=s) for depth, s in ((6, 0.1), (24, 0.4))
    ]
    few, many = case_of(pair[0]), case_of(pair[1], "node1")
    assert spelled_out(verdict_words(few, many, "depth 6", "depth 24")) == (
        "depth 24 takes about 4.0 times as long as depth 6 "
        "(caution: another job used the CPU at depth 24)"
    )


@pytest.mark.parametrize(
    ("digit", "changed", "found"),
    [
        ("0", (), []),
        ("0", ("jobs/launch.py",), []),
        ("0", ("mp/model.py",), ["changed files differ (mp/model.py)"]),
        ("0", None, ["files differ from the commit in one of them"]),
        ("1", (), ["commits differ (0000000, 1111111)"]),
    ],
)
def test_other_code_is_a_caution_where_it_may_change_a_step(digit, changed, found):
    few, many = two_and_five(0.2, lambda given: from_commit(given, digit, changed))
    assert cautions(few, many) == found


def in_ranks(gpus, transports=None, **variables):
    """1F1B in a process for each GPU, connected by these transports."""
    made = result(gpus=gpus, schedule="1f1b", micro_batches=8)
    ranks = [
        RankPlace(rank=rank, host="node1", device=f"cuda:{rank}", threads=1, transports=transports)
        for rank in range(gpus)
    ]
    return environment(made, ranks=tuple(ranks), variables=variables)


def test_a_variable_that_old_results_did_not_record_is_no_difference():
    old, new = case_of(in_ranks(2)), case_of(in_ranks(4, NCCL_ALGO="Ring"))
    assert why_incomparable(old, new, "gpus") is None
    assert cautions(old, new) == ["only one of the two is known to have had NCCL_ALGO set"]


@pytest.mark.parametrize("name", ["NCCL_P2P_DISABLE", "CUDA_LAUNCH_BLOCKING"])
def test_a_variable_that_was_always_recorded_is_a_difference(name):
    pair = case_of(in_ranks(2)), case_of(in_ranks(4, **{name: "1", "NCCL_ALGO": "Ring"}))
    assert why_incomparable(*pair, "gpus") == (
        f"they were measured with different variables ({name}: '1' and not set)"
    )


def test_a_variable_that_both_could_record_is_a_difference():
    pair = case_of(in_ranks(2, NCCL_ALGO="Tree")), case_of(in_ranks(4, NCCL_ALGO="Ring"))
    assert why_incomparable(*pair, "gpus") == (
        "they were measured with different variables (NCCL_ALGO: 'Ring' and 'Tree')"
    )


@pytest.mark.parametrize(
    "variables",
    [
        {"CUDA_VISIBLE_DEVICES": "0,1", "OMP_NUM_THREADS": "4"},
        {"NCCL_DEBUG": "INFO", "NCCL_VERSION": "2.28", "CUDA_HOME": "(a path)"},
        {"NCCL_SOCKET_IFNAME": "lo", "TORCH_CPP_LOG_LEVEL": "ERROR", "KMP_VERSION": "1"},
    ],
)
def test_variables_that_change_no_speed_are_no_difference(variables):
    pair = case_of(in_ranks(2, KMP_X="1")), case_of(in_ranks(4, KMP_X="1", **variables))
    assert why_incomparable(*pair, "gpus") is None
    assert cautions(*pair) == []


def test_how_ranks_talk_is_no_difference_to_a_case_in_one_process():
    naive = case_of(environment(result(gpus=4), variables={"KMP_X": "1"}))
    ranks = case_of(in_ranks(4, KMP_X="1", NCCL_P2P_DISABLE="1"))
    assert why_incomparable(naive, ranks, "schedule", "micro_batches") is None


def test_other_transports_of_nccl_are_a_caution():
    peer, memory = ("P2P/CUMEM",), ("P2P/CUMEM", "SHM/direct/direct")
    assert cautions(case_of(in_ranks(2, peer)), case_of(in_ranks(4, memory))) == [
        "NCCL connected the GPUs by other means (P2P/CUMEM and P2P/CUMEM, SHM/direct/direct)"
    ]
    assert cautions(case_of(in_ranks(2, peer)), case_of(in_ranks(4, peer))) == []


@pytest.mark.parametrize("unknown", [None, ()])
def test_a_transport_that_nobody_recorded_is_no_difference(unknown):
    pair = case_of(in_ranks(2, unknown)), case_of(in_ranks(4, ("SHM/direct/direct",)))
    assert cautions(*pair) == []


def test_a_variable_of_a_strange_result_stays_on_its_line():
    strange = {f"OMP_{k}\n# x": "a\nb" * 99 for k in range(9)}
    pair = case_of(in_ranks(2, KMP_X="1")), case_of(in_ranks(4, KMP_X="1", **strange))
    problem = why_incomparable(*pair, "gpus")
    assert "\n" not in problem
    assert len(problem) < 400
    assert problem.endswith("6 more)")


# --- speeds in tables ---


def test_a_speed_over_a_capped_base_is_rough_and_has_its_caution():
    base = at_clock(result(gpus=1, step_s=0.1), 1000, reasons=["sw_power_cap"])
    found = factor_over(case_of(base), case_of(result(gpus=2, step_s=0.0931)))
    assert found.words == "about 1.1"
    assert found.cautions == ("GPU 0 ran at 1000 of 1410 MHz on 1 GPU (power cap)",)
    quiet = factor_over(case_of(result(gpus=1, step_s=0.1)), case_of(result(gpus=2, step_s=0.0931)))
    assert quiet.words.startswith("1.07 (")
    assert quiet.cautions == ()
