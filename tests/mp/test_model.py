"""The homework's model, and that a split changes nothing of what it computes."""

import pytest
import torch
from torch import nn

from mp.hardware.logical import logical_gpus
from mp.model import LargeLinearModelMP

CPU = torch.device("cpu")


def reference(model):
    """The same weights in a plain Sequential on the CPU, built without the code under test."""
    modules = []
    for layer in model.layers:
        linear = nn.Linear(layer.in_features, layer.out_features)
        linear.load_state_dict({k: v.cpu() for k, v in layer.state_dict().items()})
        modules += [linear, nn.ReLU()]
    return nn.Sequential(*modules[:-1])


def loss_and_gradients(model, x, target):
    loss = nn.functional.mse_loss(model(x), target)
    loss.backward()
    return loss.detach(), [p.grad for p in model.parameters()]


@pytest.mark.parametrize(
    ("split", "gpus"), [("half", 2), *(("even", gpus) for gpus in (1, 2, 3, 4, 5))]
)
@pytest.mark.parametrize("depth", [5, 12])
def test_a_split_model_equals_the_unsplit_one(split, gpus, depth):
    torch.manual_seed(1)
    model = LargeLinearModelMP(32, depth, logical_gpus(CPU, gpus), split)
    x, target = torch.randn(8, 32), torch.randn(8, 32)
    loss, gradients = loss_and_gradients(model, x, target)
    expected_loss, expected_gradients = loss_and_gradients(reference(model), x, target)
    assert torch.equal(loss, expected_loss)
    assert all(map(torch.equal, gradients, expected_gradients))


def test_the_same_seed_gives_the_same_weights_on_any_number_of_gpus():
    torch.manual_seed(3)
    one = LargeLinearModelMP(8, 5, [CPU])
    torch.manual_seed(3)
    five = LargeLinearModelMP(8, 5, logical_gpus(CPU, 5))
    assert all(map(torch.equal, one.state_dict().values(), five.state_dict().values()))


def test_relu_stands_between_layers_and_not_after_the_last():
    model = LargeLinearModelMP(4, 2, [CPU])
    for layer in model.layers:
        nn.init.eye_(layer.weight)
        nn.init.zeros_(layer.bias)
    model.layers[1].bias.data.fill_(-1.0)
    assert model(torch.tensor([[-2.0, 3.0, 0.0, 1.0]])).tolist() == [[-1.0, 2.0, -1.0, 0.0]]


def test_devices_are_plain_devices_too():
    model = LargeLinearModelMP(4, 3, ["cpu", "cpu", "cpu"])
    assert model.gpu_of_layer == [0, 1, 2]
    assert model(torch.randn(2, 4)).shape == (2, 4)


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without CUDA")
def test_without_a_gpu_and_without_devices_it_says_what_to_pass():
    with pytest.raises(ValueError, match="pass devices="):
        LargeLinearModelMP(4, 3)
