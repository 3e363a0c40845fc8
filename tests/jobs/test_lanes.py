"""How many jobs of a submission run at a time."""

import pytest

from jobs.slurm.submission import Lanes


def chain(lanes, count):
    """What each of so many new jobs, a, b, c, ..., waits for."""
    waits = []
    for job in "abcdefgh"[:count]:
        waits.append(lanes.next())
        lanes.put(job)
    return waits


def test_without_a_limit_no_job_waits():
    assert chain(Lanes(None, ["1"]), 3) == [[], [], []]


def test_as_many_jobs_as_are_allowed_begin_at_once_and_each_other_follows_one():
    assert chain(Lanes(2), 5) == [[], [], ["a"], ["b"], ["c"]]


def test_jobs_that_run_already_count():
    assert chain(Lanes(3, ["1", "2"]), 3) == [[], ["1"], ["2"]]


def test_jobs_of_a_wider_limit_end_before_new_ones_begin():
    every = ["1", "2", "3"]
    assert chain(Lanes(2, every), 3) == [every, every, ["a"]]


def test_an_array_takes_all_lanes():
    assert chain(Lanes(2, ["1"], ["7"]), 2) == [["7", "1"], ["7", "1"]]


@pytest.mark.parametrize("most", [1, 2, 3])
def test_never_do_more_run_than_are_allowed(most):
    running = []
    for job, waits in zip("abcdefgh", chain(Lanes(most), 8), strict=True):
        running = [other for other in running if other not in waits] + [job]
        assert len(running) <= most
