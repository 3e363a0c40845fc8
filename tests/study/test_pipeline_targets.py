"""The targets of benchmarks/pipelines.py: which ratio, which bound, and what its interval says."""

import pytest

from benchmarks.entries import Entry, groups_of, schedules_there_are
from benchmarks.pipeline_targets import NAIVE, Target, fastest, ratios, table_lines, targets

TORCHGPIPE = Entry("torchgpipe", "", 8)
OURS = Entry("ours", "zero_bubble", 8, "separate")
FUSED = Entry("ours", "zero_bubble", 8, "fused", "cuda_graph")
TORCH = Entry("torch", "zero_bubble", 8)


def around(seconds):
    """Steps of nearly one length, as many as an interval needs."""
    return [seconds * (1 + 0.001 * (number % 5 - 2)) for number in range(20)]


PIPELINES = {NAIVE: 0.085, TORCH: 0.033, TORCHGPIPE: 0.044, OURS: 0.0331, FUSED: 0.0285}


def lines_of(medians, gpus=4):
    return [target.line() for target in targets([{e: around(s) for e, s in medians.items()}], gpus)]


@pytest.mark.parametrize(
    ("ratio", "is_least", "says"),
    [
        (around(1.2), True, "met"),
        (around(1.0), True, "missed"),
        ([1.0, 1.2] * 10, True, "cannot be told"),
        (around(1.2), False, "missed"),
        (around(1.0), False, "met"),
        ([1.2] * 5, True, "cannot be told"),  # too few for an interval
    ],
)
def test_a_target_is_met_or_missed_only_by_its_whole_interval(ratio, is_least, says):
    assert Target("x", ratio, 1.1, is_least).line().endswith(f"**{says}**")


def test_the_fastest_of_ours_is_compared_with_each_rival():
    found = lines_of(PIPELINES)
    assert [line.partition(" (95")[0] for line in found] == [
        "- ours ZB1P fused graph, m = 8, times as fast as torch ZB1P, m = 8: 1.158",
        "- ours ZB1P fused graph, m = 8, times as fast as torchgpipe, m = 8: 1.544",
        # 0.085 / 0.0285 = 2.98 times naive, of 4 × (1 - 3 / 27) = 3.56
        "- share of the formula's 3.56 times naive that ours ZB1P fused graph, m = 8 reaches "
        "(one of ZB1P and ZBV is enough): 0.839",
        "- step time of ours ZB1P separate eager, m = 8 / torch ZB1P, m = 8: 1.003",
    ]


def test_what_was_not_measured_has_no_target():
    assert lines_of({NAIVE: 0.085, TORCH: 0.033}) == []
    assert lines_of({NAIVE: 0.085, OURS: 0.033, TORCHGPIPE: 0.044})[0].count("torchgpipe") == 1


def test_data_parallelism_is_compared_with_the_bare_loop_of_the_same_schedule():
    found = lines_of(
        {
            Entry("torch", "ddp"): 0.0270,
            Entry("torch", "fsdp"): 0.0534,
            Entry("ours", "ddp"): 0.0271,
            Entry("ours", "ddp", execution="cuda_graph"): 0.0200,
            Entry("ours", "fsdp"): 0.0580,
        }
    )
    assert [line.partition("step time of ")[2].partition(" (95")[0] for line in found] == [
        "ours DDP eager / torch DDP: 1.004",
        "ours FSDP eager / torch FSDP: 1.086",
    ]
    assert [line.rpartition(": ")[2] for line in found] == ["**met**", "**missed**"]


def test_ratios_are_of_steps_of_the_same_round():
    times = {NAIVE: [2.0, 4.0, 6.0], OURS: [1.0, 2.0, 3.0]}
    assert ratios(times, NAIVE, OURS) == [2.0, 2.0, 2.0]
    rows = list(table_lines({entry: 2 * steps for entry, steps in times.items()}, {}))
    assert rows[1] == (
        "| ours ZB1P separate eager, m = 8 | 2000.00 | 1000.00 – 3000.00 | 2.000 (2.000 – 2.000) |"
    )


def test_the_fastest_is_looked_for_among_one_number_of_micro_batches():
    times = {OURS: [2.0], Entry("ours", "1f1b", 16, "fused"): [1.0], TORCH: [0.5]}
    assert fastest(times, "ours", 8) == OURS
    assert fastest(times, "ours", 8, "1f1b") is None


def test_every_group_has_naive_and_all_contestants_once():
    groups = groups_of([8, 16], schedules_there_are())
    assert [group.name for group in groups] == [
        "8 micro-batches",
        "data parallelism",
        "16 micro-batches",
    ]
    for group in groups:
        assert group.entries[0] == NAIVE
        assert len({entry.label for entry in group.entries}) == len(group.entries)
    assert [len(group.entries) for group in groups] == [28, 8, 28]
    assert [len(group.entries) for group in groups_of([8], ["ddp"])] == [5]
