"""Quartiles, and what lies far outside of them."""

import pytest

from study.statistics.samples import outliers, quartiles


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


def test_far_out_steps_are_counted_and_noise_is_not():
    noise = [1.0 + 0.01 * ((7 * n) % 10) for n in range(100)]
    assert outliers(noise) == 0
    assert outliers([*noise, 5.0, 0.01]) == 2


def test_where_all_steps_are_equal_any_other_is_far_out():
    assert outliers([1.0] * 50 + [1.001]) == 1
    assert outliers([1.0]) == 0
