"""Weight gradients that are added inside their matrix product, now or later."""

from itertools import pairwise

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils import parametrizations
from torch.utils.checkpoint import checkpoint

from mp.weight_gradients import WeightGradients
from study.schedules import PIPELINES
from tests.mp.said import lines_of

CHECKED = ("linear", "gpt", "gpt tied", "conv batch", "moe", "frozen parts")


@pytest.fixture(scope="module")
def said():
    """What two ranks said, by the first words of each line."""
    return {tuple(line[:3]): line[3:] for line in lines_of("forked_fused_ranks")}


def actions(said, schedule):
    """The kinds of actions of each rank, in order."""
    return said["actions", schedule, ""][0]


@pytest.mark.parametrize("family", CHECKED)
def test_every_pipeline_has_the_gradients_of_the_unsplit_model(said, family):
    found = [said["check", family, schedule][0] for schedule in PIPELINES]
    assert [words.split()[0] for words in found] == ["equal"] * len(PIPELINES)


@pytest.mark.parametrize("schedule", ["zero_bubble", "zbv"])
@pytest.mark.parametrize("fault", ["without_one", "with_one_twice"])
def test_a_micro_batch_that_is_lost_or_added_twice_is_found(said, schedule, fault):
    assert "differs from the unsplit model's" in said["broken", schedule, fault][0]


def test_the_gradients_of_weights_are_an_action_that_comes_after_those_of_inputs(said):
    for schedule in ("zero_bubble", "zbv"):
        for kinds in actions(said, schedule):
            assert kinds.count("weight_gradient") == kinds.count("input_gradient") > 0
    last = actions(said, "zero_bubble")[1]
    assert ("weight_gradient", "weight_gradient") in pairwise(last)  # one of them waited


def test_every_linear_layer_goes_through_the_store_and_nothing_is_left_there(said):
    assert said["calls", "linear", "separate"] == [0, 0]
    assert said["calls", "linear", "fused"] == [2 * 8 * 4, 0]  # steps, layers, micro-batches
    assert said["calls", "gpt tied", "fused"] == [2 * (6 * 4 + 1) * 4, 0]


class Block(nn.Module):
    """Linear layers of three dimensions, used in ways that models use them."""

    def __init__(self, how=""):
        super().__init__()
        torch.manual_seed(0)
        self.a, self.b = nn.Linear(4, 6), nn.Linear(6, 4, bias=False)
        self.tokens = nn.Embedding(5, 4, sparse=how == "sparse")
        self.how = how
        if how in ("tied", "sparse"):
            self.head = nn.Linear(4, 5)
            self.head.weight = self.tokens.weight
        if how == "parametrized":
            parametrizations.weight_norm(self.a)
        if how == "hooked":
            self.a.weight.register_hook(lambda gradient: 2 * gradient)
        if how == "frozen":
            self.a.weight.requires_grad_(False)
            self.a.bias.requires_grad_(False)
        if how == "frozen bias":
            self.a.bias.requires_grad_(False)

    def forward(self, x):
        if self.how == "asks":  # for a gradient while it runs forward
            inner = x.detach().requires_grad_()
            (slope,) = torch.autograd.grad(self.a(inner).square().sum(), inner, create_graph=True)
            x = x + slope
        if self.how == "autocast":
            with torch.autocast("cpu", torch.bfloat16):
                return self.b(F.relu(self.a(x))).float()
        if self.how == "functional":
            return self.b(torch.func.vmap(self.a)(x))
        if self.how in ("tied", "sparse"):
            return self.head(self.tokens(x.argmax(-1)) + x)
        if self.how == "checkpoint":
            return checkpoint(lambda x: self.b(F.relu(self.a(x))), x, use_reentrant=False)
        return self.b(F.relu(self.a(x), inplace=True)) + x


HOW = ["", "tied", "sparse", "parametrized", "hooked", "frozen", "frozen bias", "asks", "autocast",
       "functional", "checkpoint"]  # fmt: skip


@pytest.mark.parametrize("later", [False, True])
@pytest.mark.parametrize("how", HOW)
def test_gradients_are_those_of_autograd_however_a_layer_is_used(how, later):
    ours, theirs = Block(how), Block(how)
    store = WeightGradients()
    store.take_over(ours)
    xs = torch.randn(3, 2, 3, 4)
    for number, x in enumerate(xs):
        mine, other = x.clone().requires_grad_(), x.clone().requires_grad_()
        loss = ours(mine).square().sum()
        with store.collecting(number, later=later):
            loss.backward()
        theirs(other).square().sum().backward()
        torch.testing.assert_close(mine.grad, other.grad)
    for number in range(len(xs)) if later else ():
        store.add(number)
    for (name, a), (_, b) in zip(ours.named_parameters(), theirs.named_parameters(), strict=True):
        assert (a.grad is None) == (b.grad is None), name
        if a.grad is not None:
            torch.testing.assert_close(a.grad.to_dense(), b.grad.to_dense(), msg=name)


def test_a_weight_has_its_gradient_once_it_is_added_and_no_sooner():
    block, store = Block(), WeightGradients()
    store.take_over(block)
    with store.collecting(0, later=True):
        block(torch.ones(2, 4)).sum().backward()
    assert block.a.weight.grad is block.a.bias.grad is block.b.weight.grad is None
    store.add(0)
    assert block.a.weight.grad is not None
    assert block.b.weight.grad is not None
    with pytest.raises(KeyError):
        store.add(0)


def test_a_micro_batch_that_still_waits_is_not_overwritten():
    block, store = Block(), WeightGradients()
    store.take_over(block)
    with store.collecting(0, later=True):
        block(torch.ones(2, 4)).sum().backward()
    with pytest.raises(RuntimeError, match="micro-batch 0 were never added"):
        store.collecting(0, later=True).__enter__()


def test_a_gradient_that_is_there_is_added_to_in_place():
    block, store = Block(), WeightGradients()
    store.take_over(block)
    for number in range(2):
        before = block.a.weight.grad
        with store.collecting(number, later=False):
            block(torch.ones(2, 4)).sum().backward()
    assert block.a.weight.grad is before


def test_a_layer_keeps_its_name_its_type_and_its_words():
    block = Block()
    before = repr(block), list(block.state_dict())
    WeightGradients().take_over(block)
    assert (repr(block), list(block.state_dict())) == before
    assert isinstance(block.a, nn.Linear)
