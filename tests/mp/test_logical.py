"""Logical GPUs pass the baton as real ones do: a copy where the GPU changes, and only there."""

import torch

from mp.hardware.logical import logical_gpus

CPU = torch.device("cpu")


def lies_elsewhere(a, b):
    return a.data_ptr() != b.data_ptr()


def test_to_another_logical_gpu_is_a_real_copy():
    first, second = logical_gpus(CPU, 2)
    x = first.hold(torch.randn(3))
    y = x.to(second)
    assert lies_elsewhere(x, y)
    assert torch.equal(x, y)


def test_to_the_same_logical_gpu_copies_nothing():
    first, second = logical_gpus(CPU, 2)
    x = first.hold(torch.randn(3))
    assert x.to(first) is x
    y = x.to(second)
    assert y.to(second) is y


def test_what_is_computed_lies_where_the_baton_went_last():
    first, second = logical_gpus(CPU, 2)
    x = first.hold(torch.randn(3)).to(second) * 2
    assert x.to(second) is x
    assert lies_elsewhere(x, x.to(first))


def test_the_gradient_comes_back_as_a_copy():
    first, second = logical_gpus(CPU, 2)
    x = first.hold(torch.randn(3, requires_grad=True))
    y = x.to(second)
    seen = []
    y.grad_fn.register_hook(lambda inputs, outputs: seen.append((inputs[0], outputs[0])))
    y.sum().backward()
    ((given, received),) = seen
    assert lies_elsewhere(given, received)
    assert torch.equal(x.grad, torch.ones(3))
