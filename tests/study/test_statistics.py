"""Quartiles, and when two samples are told apart."""

import pytest

from study.statistics import quartiles, separated


@pytest.mark.parametrize(
    ("samples", "expected"),
    [
        ([3.0], (3.0, 3.0)),
        ([1.0, 2.0], (1.25, 1.75)),
        ([5.0, 1.0, 4.0, 2.0, 3.0], (2.0, 4.0)),
    ],
)
def test_quartiles_lie_within_the_samples(samples, expected):
    assert quartiles(samples) == expected


def test_one_slow_step_moves_no_quartile():
    assert quartiles([1.0, 2.0, 3.0, 4.0, 500.0]) == (2.0, 4.0)


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ([1.0, 2.0, 3.0], [10.0, 11.0, 12.0], True),
        ([10.0, 11.0, 12.0], [1.0, 2.0, 3.0], True),
        ([1.0, 2.0, 3.0], [2.0, 3.0, 4.0], False),
        ([1.0, 2.0, 3.0], [1.0, 2.0, 3.0], False),
        ([2.0], [2.0], False),
        ([2.0], [2.1], True),
    ],
)
def test_samples_are_separated_where_their_middle_halves_do_not_meet(a, b, expected):
    assert separated(a, b) is expected
