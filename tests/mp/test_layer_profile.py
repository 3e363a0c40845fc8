"""The profile of a model: operations, parameters and sharing of its layers."""

from functools import cache

import msgspec
import pytest
import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._python_dispatch import _get_current_dispatch_mode_stack
from torch.utils.flop_counter import FlopCounterMode

from mp.families.linear import LinearStack
from mp.families.registry import workload_of
from mp.hardware.devices import choose_devices
from mp.profiling.operations import OperationCounter
from mp.profiling.products import largest_products
from mp.profiling.profile import measure_profile
from mp.single.step import build_step
from report.analysis.profiled.shapes import operations_of
from study.results.sizes import parameter_bytes
from study.validation import make_case
from study.values.completion import complete

CPU = torch.device("cpu")
KEYS = {
    "linear": {"depth": 3, "dim": 24},
    "gpt": {"kind": "gpt", "depth": 2, "dim": 16, "heads": 2, "seq_len": 8, "vocab": 40},
    "conv": {"kind": "conv", "depth": 4, "width": 4, "image": 16, "classes": 10},
}


@cache
def profiled(kind, made=workload_of):
    case = make_case({"gpus": 1, "batch_size": 4} | KEYS[kind], "test")
    return case, measure_profile(made(case), CPU, 4)


@pytest.mark.parametrize("kind", KEYS)
def test_operations_are_those_of_a_whole_step_as_torch_counts_them(kind):
    case, profile = profiled(kind)
    step = build_step(case, choose_devices(1, "cpu"))
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        step()
    assert operations_of(case, profile).total == counter.get_total_flops()


def test_the_linear_stacks_operations_are_its_closed_forms_part_by_part():
    case, profile = profiled("linear")
    assert operations_of(case, profile) == operations_of(case, None)


@pytest.mark.parametrize("kind", KEYS)
def test_the_first_layer_has_no_gradient_of_its_input(kind):
    first, second, *_ = profiled(kind)[1].layers
    assert first.input_gradient_flops == 0
    assert second.input_gradient_flops > 0


@pytest.mark.parametrize("kind", KEYS)
def test_kept_bytes_are_those_of_the_tensors_that_autograd_saves(kind):
    case, profile = profiled(kind)
    workload = workload_of(case)
    shapes = workload.activations(4)
    for number, (layer, measured) in enumerate(zip(workload.layers(), profile.layers, strict=True)):
        x = (
            torch.randn(shapes[number].shape, requires_grad=True)
            if number
            else workload.batch(4)[0]
        )
        saved = {}

        def keep(tensor, saved=saved):
            saved[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            y = layer(x)
        for tensor in [*layer.parameters(), *layer.buffers(), x, y]:
            saved.pop(tensor.untyped_storage().data_ptr(), None)
        assert sum(saved.values()) == measured.kept_bytes


def test_layers_alike_are_measured_once_and_all_have_seconds():
    _, profile = profiled("gpt")
    first, second = profile.layers[1:3]
    assert first.name != second.name
    assert msgspec.structs.replace(first, name=second.name) == second
    assert all(layer.forward_s > 0 for layer in profile.layers)
    assert all(layer.backward_s > 0 for layer in profile.layers)


@pytest.mark.parametrize(
    ("preset", "parameters"), [("gpt2", 124_439_808 + 50257 * 768), ("resnet50-bn", 25_557_032)]
)
def test_presets_have_the_published_number_of_parameters(preset, parameters):
    """GPT-2 is published with one matrix for embedding and head; untied, there are two."""
    kind = "gpt" if preset.startswith("gpt") else "conv"
    case = make_case({"kind": kind, "preset": preset, "gpus": 1}, "test")
    with torch.device("meta"):
        unique = {p for layer in workload_of(case).layers() for p in layer.parameters()}
    assert sum(p.numel() for p in unique) == parameters


class Tied(LinearStack):
    """A stack whose last layer has the weight of the first."""

    def layers(self):
        made = list(super().layers())
        made[-1].weight = made[0].weight
        return iter(made)


def test_a_shared_parameter_counts_in_its_first_layer_and_lies_on_every_gpu():
    _, profile = profiled("linear", Tied)
    assert [layer.parameters for layer in profile.layers] == [600, 600, 24]
    assert profile.layers[2].shares_with == 0
    assert profile.layers[2].shared_bytes == 4 * 24**2
    assert parameter_bytes(profile, [0, 1, 2]) == 4 * (600 + 600 + 24)
    assert parameter_bytes(profile, [1, 2]) == 4 * (600 + 600)


@torch.library.custom_op("mpbench_tests::scale", mutates_args=())
def scale(x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    return x @ weight


@scale.register_fake
def _(x, weight):
    return torch.empty_like(x)


scale.register_autograd(
    lambda context, gradient: (gradient.clone(), gradient.new_zeros(24, 24)),
    setup_context=lambda ctx, inputs, output: None,
)


class Setting(nn.Module):
    """Does what a private list and a function say, which its repr does not show."""

    def __init__(self, sizes, function):
        super().__init__()
        self._sizes, self.function = sizes, function

    def forward(self, x):
        return self.function(x.repeat(1, *self._sizes))[:, :24].contiguous()


class WithSettings(LinearStack):
    """A stack of layers that look alike and do other things."""

    def layer(self, number):
        sizes = [[1], [1], [40]][number]
        return nn.Sequential(super().layer(number), Setting(sizes, torch.tanh))


def test_layers_that_differ_in_what_their_text_does_not_show_are_measured_apart():
    _, profile = profiled("linear", WithSettings)
    second, third = profile.layers[1:]
    assert third.forward_peak_bytes > 20 * second.forward_peak_bytes


class Foreign(nn.Linear):
    """A layer of an operation that torch's registry lacks."""

    def forward(self, x):
        return torch.ops.mpbench_tests.scale(x, self.weight)


class WithForeign(LinearStack):
    """A stack with such a layer."""

    def layer(self, number):
        return Foreign(24, 24, bias=False) if number == 1 else super().layer(number)


def test_an_unknown_operation_with_parameters_has_no_count_and_is_named():
    case, profile = profiled("linear", WithForeign)
    assert profile.unknown_operations == ("mpbench_tests.scale",)
    assert profile.layers[1].forward_flops is None
    assert profile.layers[0].forward_flops is not None
    assert operations_of(case, profile) is None


def test_the_largest_product_of_a_gpt_is_found():
    case, _ = profiled("gpt")
    best = largest_products(workload_of(case), 4, CPU)[0]
    assert best.flops == 2 * (4 * 8) * 16 * (4 * 16)  # of the MLP: rows x dim x 4 dim


def test_products_of_layers_that_choose_by_their_data_are_found_on_the_device():
    keys = {"kind": "factory", "factory": "models/moe.py:build", "depth": 6}
    moe = workload_of(make_case(complete(keys | {"gpus": 1, "batch_size": 8}, "test"), "test"))
    found = largest_products(moe, 8, CPU)
    assert {(product.n, product.k) for product in found} & {(64, 256), (256, 64)}


def test_operations_are_counted_without_memory_for_data():
    """On a GPU that the loss's tensors just fit, a count beside them would not."""
    kinds = set()

    class Watched(LinearStack):
        def loss(self, output, target):
            kinds.add((output.device.type, "counted" if _is_counted() else "measured"))
            return super().loss(output, target)

    case = make_case({"depth": 2, "gpus": 1, "dim": 8, "batch_size": 4}, "test")
    measure_profile(Watched(case), CPU, 4)
    assert kinds == {("meta", "counted"), ("cpu", "measured")}


def _is_counted():
    return any(isinstance(m, OperationCounter) for m in _get_current_dispatch_mode_stack())
