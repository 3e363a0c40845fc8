"""Weights are drawn layer by layer from seeds of their own, so that every process draws its own."""

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from mp.families.registry import workload_of
from mp.hardware.logical import logical_gpus
from mp.model import LargeLinearModelMP, draw_weights, seed_of_layer
from mp.sharing import Sharing
from study.validation import make_case

CPU = torch.device("cpu")
KINDS = {
    "linear": {"depth": 4, "dim": 8},
    "gpt": {"kind": "gpt", "depth": 3, "dim": 8, "heads": 2, "seq_len": 4, "vocab": 16},
    "conv": {"kind": "conv", "depth": 4, "width": 2, "image": 32, "classes": 4},
    "factory": {"factory": "models/mlp.py:build", "depth": 4, "args.depth": 4, "args.width": 8},
}
KINDS["gpt tied"] = KINDS["gpt"] | {"tied": True}
ALL = pytest.mark.parametrize("kind", KINDS)
APART = pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "factory"])


def workload(kind, **keys):
    return workload_of(make_case({"gpus": 1, "batch_size": 4} | KINDS[kind] | keys, "test"))


class Draws(TorchDispatchMode):
    """Counts the matrices of 8 x 8 that are filled with random numbers."""

    weights = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.weights += func.name() == "aten::uniform_" and args[0].numel() == 8 * 8
        return func(*args, **(kwargs or {}))


def numbers(layer):
    return [tensor.detach().clone() for tensor in layer.state_dict().values()]


def equal(first, second):
    return len(first) == len(second) and all(map(torch.equal, first, second))


def seen(drawing):
    """The layers that are made on a device and not without data, by number, in order."""
    made, make = [], drawing.layer

    def layer(number):
        if torch.get_default_device().type != "meta":
            made.append(number)
        return make(number)

    drawing.layer = layer
    return made


@ALL
def test_a_layer_that_is_drawn_without_the_others_is_the_layer_of_the_whole_model(kind):
    whole = [numbers(layer) for layer in workload(kind).draw_model(CPU)]
    for number, expected in enumerate(whole):
        ((found, layer),) = workload(kind).draw({number: CPU}, Sharing())
        assert found == number
        assert equal(numbers(layer), expected)
    assert not equal(whole[1], whole[2])


@APART
def test_only_the_layers_that_are_wanted_are_made(kind):
    drawing = workload(kind)
    made = seen(drawing)
    list(drawing.draw({1: CPU, 2: CPU}, Sharing()))
    assert made == [1, 2]


def test_a_head_far_from_its_embedding_has_equal_numbers_and_is_known_to_share_them():
    drawing, sharing = workload("gpt tied"), Sharing()
    ((number, head),) = drawing.draw({4: CPU}, sharing)
    (embedding, *_) = workload("gpt tied").draw_model(CPU)
    assert number == 4
    assert torch.equal(head.scores.weight, embedding.token.weight)
    (shared,) = sharing
    assert [(place.layer, place.name) for place in shared.places] == [
        (0, "token.weight"),
        (4, "scores.weight"),
    ]


def test_a_head_near_its_embedding_has_its_very_weight():
    layers = workload("gpt tied").draw_model(CPU)
    assert layers[-1].scores.weight is layers[0].token.weight


@ALL
def test_the_batch_does_not_depend_on_what_was_drawn_before(kind):
    first = workload(kind).draw_batch(4, CPU)
    torch.manual_seed(99)
    assert equal(first, workload(kind).draw_batch(4, CPU))
    assert not torch.equal(first[0], workload(kind, seed=1).draw_batch(4, CPU)[0])


@pytest.mark.parametrize("gpus", [1, 3])
def test_the_homeworks_model_has_the_weights_of_the_stack_and_draws_each_once(gpus):
    drawing, drawn = workload("linear", gpus=gpus), Draws()
    with drawn:
        model = drawing.split_model(logical_gpus(CPU, gpus))
    assert isinstance(model, LargeLinearModelMP)
    assert drawn.weights == 4
    expected = [numbers(layer) for layer in drawing.draw_model(CPU)]
    assert all(map(equal, map(numbers, model.layers), expected))


def test_weights_of_the_homeworks_model_do_not_depend_on_what_was_drawn_before():
    first, second = (LargeLinearModelMP(8, 3, [CPU]) for _ in range(2))
    draw_weights(first, 5)
    torch.manual_seed(1)
    draw_weights(second, 5)
    assert equal(numbers(first), numbers(second))
    draw_weights(second, 6)
    assert not equal(numbers(first), numbers(second))


def test_no_two_layers_of_neighbouring_seeds_have_one_seed():
    seeds = [seed_of_layer(seed, number) for seed in (0, 1, 2**63 - 1) for number in range(1000)]
    assert len(set(seeds)) == len(seeds)
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_the_way_of_drawing_has_a_number_and_that_of_own_models_is_the_former():
    assert {kind: workload(kind).draw_version for kind in KINDS} == {
        "linear": 2, "gpt": 2, "gpt tied": 2, "conv": 2, "factory": 1,
    }  # fmt: skip
