"""On how many nodes a case runs, and what cannot be spread over them."""

import pytest

from jobs.slurm.layout import JobLayout, layout_of, why_impossible
from study.case import Case


@pytest.mark.parametrize(
    ("gpus", "shape"),
    [
        (1, JobLayout(1, 1, 1)),
        (8, JobLayout(1, 8, 8)),
        (10, JobLayout(2, 5, 5)),
        (16, JobLayout(2, 8, 8)),
        (24, JobLayout(3, 8, 8)),
    ],
)
def test_a_case_in_processes_takes_as_few_nodes_as_have_enough_gpus(gpus, shape):
    assert layout_of(gpus, True, most=8) == shape


def test_a_naive_case_is_one_task_with_all_gpus():
    assert layout_of(6, False, most=8) == JobLayout(1, 1, 6)


def test_a_job_has_the_nodes_that_it_needs_at_least_however_many_gpus_they_have():
    assert layout_of(2, True, most=8, least_nodes=2) == JobLayout(2, 1, 1)
    assert layout_of(2, True, most=None, least_nodes=2) == JobLayout(2, 1, 1)
    assert layout_of(16, True, most=4, least_nodes=2) == JobLayout(4, 4, 4)


def test_where_nothing_limits_a_node_one_is_enough():
    assert layout_of(16, True, most=None) == JobLayout(1, 16, 16)


@pytest.mark.parametrize(
    ("gpus", "schedule", "complaint"),
    [
        (9, "gpipe", "9 do not divide evenly over 2 nodes of 8 GPUs; use e.g. 8, 10, 12, 14, 16"),
        (20, "gpipe", "20 do not divide evenly over 3 nodes of 8 GPUs; use e.g. 16, 18, 21, 24"),
        (9, "naive", "9 is more than the 8 GPUs of a node, and schedule: naive runs on one"),
        (16, "naive", "use fewer GPUs, another profile or another schedule"),
    ],
)
def test_what_no_nodes_can_hold_is_refused_with_the_counts_that_fit(gpus, schedule, complaint):
    assert complaint in why_impossible(Case(depth=40, gpus=gpus, schedule=schedule), most=8)


def test_what_fits_is_not_refused():
    for gpus in (1, 8, 10, 16, 24):
        assert why_impossible(Case(depth=40, gpus=gpus, schedule="gpipe"), most=8) is None
    assert why_impossible(Case(depth=40, gpus=40, schedule="gpipe"), most=None) is None
