"""Which GPU gets which layer."""

import itertools

import pytest

from mp.placement import layer_map


def test_twenty_layers_on_three_gpus_are_seven_seven_six():
    assert [layer_map(20, 3, "even").count(gpu) for gpu in range(3)] == [7, 7, 6]


def test_half_is_the_base_code():
    assert layer_map(7, 2, "half") == [0 if i < 7 // 2 else 1 for i in range(7)]


@pytest.mark.parametrize("gpus", range(1, 13))
def test_even_runs_are_contiguous_and_differ_by_one_layer_at_most(gpus):
    for depth in range(gpus, 40):
        places = layer_map(depth, gpus, "even")
        counts = [len(list(run)) for _, run in itertools.groupby(places)]
        assert places == sorted(places)
        assert len(counts) == gpus
        assert max(counts) - min(counts) <= 1


@pytest.mark.parametrize(
    ("depth", "gpus", "split", "complaint"),
    [
        (3, 4, "even", "4 GPUs are more than the 3 layers"),
        (20, 5, "half", "exactly 2 GPUs, not 5"),
        (20, 0, "even", "no GPU"),
        (20, 2, "thirds", "'thirds'"),
    ],
)
def test_an_impossible_split_says_why(depth, gpus, split, complaint):
    with pytest.raises(ValueError, match=complaint):
        layer_map(depth, gpus, split)
