"""TF32 and cuDNN's choices: what a case computes in, and what it is checked in."""

import pytest
import torch

from mp.hardware.precision import comparable_kernels, set_precision
from study.validation import make_case


@pytest.fixture(autouse=True)
def as_before():
    """What torch is set to belongs to all tests of this process."""
    before = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    yield
    torch.set_float32_matmul_precision(before[0])
    torch.backends.cudnn.allow_tf32 = before[1]


@pytest.mark.parametrize(("dtype", "has_tf32"), [("tf32", True), ("float32", False)])
def test_tf32_is_on_for_products_and_convolutions_alike_or_for_neither(dtype, has_tf32):
    set_precision(make_case({"depth": 2, "gpus": 1, "dtype": dtype}, "test"))
    assert (torch.get_float32_matmul_precision() != "highest") is has_tf32
    assert torch.backends.cudnn.allow_tf32 is has_tf32


def test_gradients_are_compared_without_tf32_and_by_kernels_that_repeat_themselves():
    set_precision(make_case({"depth": 2, "gpus": 1, "dtype": "tf32"}, "test"))
    with comparable_kernels():
        assert torch.get_float32_matmul_precision() == "highest"
        assert not torch.backends.cudnn.allow_tf32
        assert torch.backends.cudnn.deterministic
    assert not torch.backends.cudnn.deterministic
