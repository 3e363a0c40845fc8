"""Numbers as people read them."""

import pytest

from report.wording.units import (
    between,
    byte_rate,
    data_size,
    flop_rate,
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
        (0.12345678, "123.5 ms"),
        (0.001, "1 ms"),
        (0.000999, "999 µs"),
        (2e-9, "0.002 µs"),
    ],
)
def test_seconds_have_a_unit_and_four_digits(value, text):
    assert seconds(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1 KiB"),
        (2**20, "1 MiB"),
        (1_500_000_000, "1.397 GiB"),
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


def test_a_median_has_its_interval_or_a_dash():
    assert seconds_with_interval(0.3, Interval(0.2, 0.4)) == "300 ms (200 ms – 400 ms)"
    assert seconds_with_interval(0.3, None) == "300 ms (–)"


def test_shares_are_percents_to_a_tenth():
    assert (percent(0.4567), signed_percent(0.031), signed_percent(-0.0104)) == (
        "45.7 %",
        "+3.1 %",
        "−1.0 %",
    )


def test_rates_have_decimal_prefixes():
    assert (flop_rate(791.2e12), byte_rate(4.25e12)) == ("791.2 TFLOP/s", "4.25 TB/s")
    assert (byte_rate(397e9), byte_rate(12.0)) == ("397 GB/s", "12 B/s")


def test_a_range_of_one_value_is_that_value():
    assert (between([7, 7]), between([20, 7])) == ("7", "7 to 20")


def test_a_factor_has_three_digits():
    assert ratio(1 / 3) == "0.333"
