"""What the hardware can do: copies that are proven first, and matrix products."""

import pytest
import torch

from mp.families.linear import LinearStack
from mp.hardware.devices import Devices, choose_devices
from mp.hardware.gemm import measure_gemm
from mp.single import copies
from mp.single.copies import check, measure_copies, messages
from study.case import Case
from study.errors import CaseError

CASE = Case(depth=4, gpus=2, dim=64, batch_size=8)
TWO = [torch.device("cpu"), torch.device("cpu", 0)]  # two names of one memory


def test_devices_that_are_shared_copy_within_themselves():
    (rate,) = measure_copies(LinearStack(CASE), choose_devices(2, "cpu"))
    assert (rate.source, rate.target, rate.peer_access) == (0, 0, None)
    assert rate.message_bytes == 8 * 64 * 4
    assert min(rate.latency_s, rate.message_s, rate.bandwidth_bytes_per_s) > 0


@pytest.mark.parametrize(
    ("gpus", "expected"),
    [(2, [(0, 1), (1, 0)]), (3, [(0, 1), (1, 0), (1, 2), (2, 1)])],
)
def test_real_gpus_are_checked_in_every_pair_that_passes_the_baton_both_ways(gpus, expected):
    real = [torch.device("cuda", gpu) for gpu in range(gpus)]
    case = Case(depth=6, gpus=gpus)
    assert list(messages(LinearStack(case), Devices(real, real))) == expected


def test_one_flipped_byte_fails_the_case_and_names_the_pair(monkeypatch):
    def crooked(devices, source, target):
        def copy(x):
            y = x.clone()
            y[17] += 1
            return y

        return copy

    monkeypatch.setattr(copies, "_copy", crooked)
    with pytest.raises(CaseError, match=r"GPU 0 to GPU 1 .* corrupts data: 1 of 4096 bytes"):
        check(Devices(TWO, TWO), 0, 1, 4096)


def test_zeros_that_arrive_instead_of_data_are_seen(monkeypatch):
    monkeypatch.setattr(copies, "_copy", lambda *pair: torch.zeros_like)
    with pytest.raises(CaseError, match="corrupts data"):
        check(Devices(TWO, TWO), 1, 0, 4096)


def test_every_real_device_has_a_largest_rate_of_matrix_products():
    (rate,) = measure_gemm(CASE, choose_devices(2, "cpu"), LinearStack(CASE).products())
    assert rate.device == "cpu"
    assert rate.dtype == "float32"
    assert 0 < rate.sustained_flop_per_s <= rate.flop_per_s
