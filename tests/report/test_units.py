"""Numbers as people read them."""

import random
from functools import partial

import pytest

from report.wording.quantities import gpu_time_cell, in_words, rate_cell, size_cell, time_cell
from report.wording.units import (
    between,
    data_size,
    digits_within,
    percent,
    ratio,
    runs,
    seconds,
    seconds_with_interval,
    signed_percent,
)
from study.statistics.samples import Interval


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (90.0, "90 s"),
        (1.0, "1 s"),
        (0.12345678, "123 ms"),
        (0.99996, "1.00 s"),
        (0.00099996, "1.00 ms"),
        (9.877e4, "27.4 h"),
        (1e4, "2.78 h"),
        (0, "0 s"),
        (0.001, "1 ms"),
        (0.000999, "999 µs"),
        (2e-9, "2 ns"),
    ],
)
def test_seconds_have_a_unit_and_three_digits(value, text):
    assert seconds(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1 KiB"),
        (2**20, "1 MiB"),
        (1_500_000_000, "1.40 GiB"),
        (2**30 - 1, "1 GiB"),
        (2048 * 2**30, "2 TiB"),
        (80 * 2**30, "80 GiB"),
    ],
)
def test_bytes_have_a_binary_unit(value, text):
    assert data_size(value) == text


@pytest.mark.parametrize(
    ("numbers", "text"),
    [
        ([], "–"),
        ([3], "3"),
        ([0, 1, 2, 3], "0–3"),
        ([4, 8, 12], "4, 8, 12"),
        ([0, 1, 5, 7, 8], "0–1, 5, 7–8"),
    ],
)
def test_layers_that_follow_one_another_are_one_run(numbers, text):
    assert runs(numbers) == text


@pytest.mark.parametrize(
    ("value", "half_width", "digits"),
    [(3.2, 2.25, 1), (3.2, 0.22, 2), (20, 0.01, 3), (20, 3, 2), (3.2, 40, 1), (3.2, 0, 3)],
)
def test_digits_end_where_the_interval_begins(value, half_width, digits):
    assert digits_within(value, half_width) == digits


def test_a_median_has_its_interval_or_a_dash():
    assert seconds_with_interval(0.3, Interval(0.2, 0.4)) == "300 ms (200 – 400)"
    assert seconds_with_interval(0.3, None) == "300 ms (–)"


def flops(value):
    return column(partial(rate_cell, what="FLOP/s"), value)[0]


def bytes_a_second(value):
    return column(partial(rate_cell, what="B/s"), value)[0]


def test_rates_have_decimal_prefixes():
    assert (flops(791.2e12), bytes_a_second(4.25e12)) == ("791 TFLOP/s", "4.25 TB/s")
    assert (bytes_a_second(397e9), bytes_a_second(12.0)) == ("397 GB/s", "12.0 B/s")


def test_shares_are_percents_to_a_tenth():
    assert (percent(0.4567), signed_percent(0.031), signed_percent(-0.0104)) == (
        "45.7 %",
        "+3.1 %",
        "−1.0 %",
    )


def test_a_range_of_one_value_is_that_value():
    assert (between([7, 7]), between([20, 7])) == ("7", "7 to 20")


def test_a_factor_has_three_digits():
    assert ratio(1 / 3) == "0.333"
    assert (ratio(2.0), ratio(10000.36)) == ("2", "10000")


def test_an_interval_decides_how_many_digits_a_median_has():
    assert seconds_with_interval(0.002353, Interval(0.00206, 0.00249)) == "2.35 ms (2.06 – 2.49)"
    assert seconds_with_interval(0.1, Interval(0.09998, 0.10002)) == "100.00 ms (99.98 – 100.02)"
    assert seconds_with_interval(0.08612, Interval(0.07824, 0.126)) == "86.1 ms (78.2 – 126.0)"


def column(make, *values):
    """The words of a column of these values."""
    return [row["x"] for row in in_words({"x": make(value)} for value in values)]


def test_a_column_has_one_unit_and_keeps_its_zeros():
    gib = 2**30
    assert column(size_cell, 1.319 * gib, 708.2 * 2**20, 1.33 * gib) == [
        "1.32 GiB",
        "0.692 GiB",
        "1.33 GiB",
    ]
    assert column(time_cell, 0.0007513, 0.001312, 0.0013) == ["0.751 ms", "1.31 ms", "1.30 ms"]
    assert column(time_cell, 5e-6, 3.2e-3) == ["5.00 µs", "3200 µs"]


def test_values_too_far_apart_have_a_unit_each():
    assert column(time_cell, 5e-6, 3.2) == ["5.00 µs", "3.20 s"]
    assert column(size_cell, 0, 5, 1024) == ["0 B", "5 B", "1024 B"]


def test_a_dash_is_no_number():
    assert column(time_cell, None, 0.1) == ["–", "100 ms"]
    assert column(gpu_time_cell, 0.131, None) == ["131 GPU-ms", "–"]


@pytest.mark.parametrize("words", [seconds, flops, bytes_a_second])
def test_no_number_has_an_exponent_nor_a_thousand_of_a_unit(words):
    drawn = random.Random(0)
    for _ in range(2000):
        text = words(10 ** drawn.uniform(-9, 15 if words is not seconds else 6))
        assert "e" not in text.split()[0]
        assert float(text.split()[0]) < 1000 or text.endswith(" s")
