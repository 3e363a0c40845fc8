"""Weights that layers share: one parameter of a GPU, and a sum of gradients between GPUs."""

from dataclasses import replace

import msgspec
import pytest

from predict.costs.calibrated import Calibrated
from predict.costs.layers import LayerTimes
from predict.costs.shapes import parameter_bytes
from predict.costs.shared import Shared, shared_weights
from predict.memory.kinds.gpt import gpt_profile
from predict.memory.linear.profile import linear_profile
from predict.steps.of_case import step_of
from study.validation import make_case
from tests.predict.made_up_calibration import MS, calibration, case

SIZE = 2**20  # of 2**21 bytes of a layer


def model_of(made, shared=SIZE):
    """Layers of which the last shares a half with the first."""
    model = linear_profile(case(gpus=1, schedule="naive", micro_batches=1), 0)
    *rest, last = model.layers
    last = msgspec.structs.replace(
        last, parameter_bytes=last.parameter_bytes - shared, shared_bytes=shared, shares_with=0
    )
    return msgspec.structs.replace(model, layers=(*rest, last))


def calibrated(made, *, is_shared):
    known = Calibrated(calibration(), calibration(2))
    return replace(known, model=model_of(made) if is_shared else None)


def test_a_tied_gpt_shares_its_table_with_or_without_the_sizes_of_its_layers():
    gpt = {"kind": "gpt", "depth": 4, "gpus": 1, "batch_size": 8, "dtype": "bfloat16"}
    made = make_case(gpt | {"tied": True}, "test")
    table = (Shared((0, 5), 50257 * 1024 * 2),)
    assert shared_weights(made, None) == shared_weights(made, gpt_profile(made)) == table
    assert shared_weights(make_case(gpt, "test"), None) == ()


def test_what_is_shared_counts_once_on_a_gpu_and_once_on_each_of_several():
    made, model = case(), model_of(case())
    times = LayerTimes(made, calibration().calibration)
    assert parameter_bytes(times, range(8), model) == 8 * 2**21 - SIZE
    assert parameter_bytes(times, range(4, 8), model) == 4 * 2**21
    assert parameter_bytes(times, [7], model, held=range(8)) == 2**21 - SIZE


def seconds_without_and_with(**changes):
    """The step of a case whose layers share nothing, and of one whose ends share a weight."""
    made = case(**changes)
    return [step_of(made, calibrated(made, is_shared=its)).seconds for its in (False, True)]


@pytest.mark.parametrize("schedule", ["gpipe", "1f1b"])
def test_gradients_of_a_shared_weight_are_added_up_between_the_ends_of_a_pipeline(schedule):
    before, after = seconds_without_and_with(schedule=schedule)
    assert after - before == pytest.approx(SIZE / 2**21 * 0.1 * MS)


def test_where_one_gpu_has_both_ends_nothing_is_sent_and_the_optimizer_has_less():
    before, after = seconds_without_and_with(schedule="zbv")
    assert after == before  # the other GPU's optimizer is the last
    for schedule, gpus in (("naive", 1), ("ddp", 2)):
        before, after = seconds_without_and_with(schedule=schedule, gpus=gpus, micro_batches=1)
        assert after < before
