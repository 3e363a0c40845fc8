"""Closed forms of a ResNet's layers: near what H100s allocated, and said to be near only."""

import pytest

from predict.memory.fit import Fits
from predict.memory.gpu_size import GpuSize
from predict.memory.kernels import MIB
from predict.memory.kinds.conv import conv_profile
from predict.memory.kinds.of_case import layers_of
from predict.memory.least import least_of
from predict.memory.peaks import peaks_of
from study.schedules import PIPELINES
from study.validation import make_case

RESNET = {"kind": "conv", "depth": 16, "gpus": 1, "dtype": "bfloat16", "batch_size": 256}
ON_FOUR = {"gpus": 4, "schedule": "1f1b", "micro_batches": 8}


def resnet(**keys):
    return make_case(RESNET | keys, "test")


@pytest.mark.parametrize(
    ("keys", "measured", "within"),
    [
        ({}, [10909.9], 0.002),
        ({"norm": "batch"}, [10908.6], 0.002),
        (ON_FOUR | {"balance": "3,3,5,7"}, [2684.8, 1832.9, 976.7, 450.6], 0.036),
        (
            ON_FOUR | {"norm": "batch", "balance": "2,3,5,8"},
            [2085.2, 2134.1, 1054.4, 492.7],
            0.024,
        ),
    ],
)
def test_h100s_allocated_about_what_is_predicted(keys, measured, within):
    case = resnet(**keys)
    found = [peak.allocated / MIB for peak in peaks_of(case, conv_profile(case))]
    assert found == pytest.approx(measured, rel=within)


@pytest.mark.parametrize("schedule", PIPELINES)
@pytest.mark.parametrize("keys", [{}, {"gradients": "fused"}, {"recompute": "layers"}])
def test_every_way_to_run_a_resnet_has_a_peak_above_what_it_holds_at_least(schedule, keys):
    if "recompute" in keys and schedule in ("zero_bubble", "zbv"):
        pytest.skip("is refused: layers that run again have no two parts")
    case = resnet(gpus=2, schedule=schedule, micro_batches=8, **keys)
    model = conv_profile(case)
    assert max(peak.parts.total for peak in peaks_of(case, model)) > least_of(case, model)


def test_only_what_is_too_large_by_a_tenth_cannot_fit():
    case = resnet()
    (peak,) = peaks_of(case, conv_profile(case))
    for share, answer in ((0.89, "cannot fit"), (0.91, "may not fit"), (1.5, "fits")):
        fits = Fits(GpuSize(int(share * peak.needed), "test", "h100"), layers_of)
        assert fits.of(case).answer == answer
    assert fits.of(case).words.startswith("about 10.6 GiB")
