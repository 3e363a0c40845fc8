"""The stages of each rule of balance, from the layers as measured."""

import msgspec
import pytest

from mp.distributed.stages import costs_of, make_stages
from mp.inspection.text import stages_by
from report.analysis.profiled.stage_balance import other_balances
from study.case import Case
from study.errors import CaseError
from study.results.costs import BALANCES
from study.results.layers import ModelProfile
from study.results.plausible import find_problem
from study.results.result import Placement
from study.validation import make_case
from tests.report.made_up import profile
from tests.report.made_up import result as made_up_result
from tests.report.made_up_conditions import case_of
from tests.report.made_up_models import cut
from tests.report.made_up_pipeline import scheduled

CASE = make_case(
    {"kind": "gpt", "preset": "gpt2", "depth": 4, "gpus": 2, "schedule": "1f1b",
     "micro_batches": 2, "batch_size": 4},
    "here",
)  # fmt: skip
NOTHING = {"forward_flops": 0, "input_gradient_flops": 0, "weight_gradient_flops": 0,
           "forward_s": 0.0, "backward_s": 0.0}  # fmt: skip


def measured(**of_layers) -> ModelProfile:
    """The profile of CASE with these values, one of each layer, and a loss that costs nothing."""
    whole = profile(CASE)
    changed = [
        msgspec.structs.replace(layer, **{key: values[number] for key, values in of_layers.items()})
        for number, layer in enumerate(whole.layers)
    ]
    free = msgspec.structs.replace(whole.loss, **NOTHING)
    return msgspec.structs.replace(whole, layers=tuple(changed), loss=free)


@pytest.mark.parametrize(
    ("balance", "of_layers"),
    [
        ("parameters", {"parameters": [9, 1, 1, 1, 1, 1]}),
        ("flops", {"forward_flops": [3, 1, 1, 1, 0, 0], "input_gradient_flops": [3] + [0] * 5,
                   "weight_gradient_flops": [3, 0, 0, 0, 1, 1]}),
        ("time", {"forward_s": [4.0, 1.0, 1.0, 1.0, 0.0, 0.0],
                  "backward_s": [5.0, 0.0, 0.0, 0.0, 1.0, 1.0]}),
    ],
)  # fmt: skip
def test_a_dear_first_layer_has_a_stage_alone(balance, of_layers):
    costs = costs_of(balance, measured(**of_layers))
    assert costs == [9, 1, 1, 1, 1, 1]
    assert make_stages(CASE, costs).stage_of_layer == [0, 1, 1, 1, 1, 1]


def test_the_loss_counts_with_the_last_layer():
    even = measured(forward_s=[1.0] * 6, backward_s=[0.0] * 6)
    dear = msgspec.structs.replace(even.loss, forward_s=2.0, backward_s=3.0)
    costs = costs_of("time", msgspec.structs.replace(even, loss=dear))
    assert costs == [1, 1, 1, 1, 1, 6]
    assert make_stages(CASE, costs).stage_of_layer == [0, 0, 0, 0, 0, 1]


@pytest.mark.parametrize("balance", BALANCES)
def test_a_report_and_an_inspection_tell_the_stages_that_a_run_would_have(balance):
    case = msgspec.structs.replace(CASE, depth=24, gpus=4, micro_batches=4)
    model = profile(case)
    costs = None if balance == "layers" else costs_of(balance, model)
    stages = make_stages(case, costs).stage_of_layer
    keys = {"kind": "gpt", "depth": 24, "batch_size": 4, "balance": "7,7,7,5"}
    made = scheduled("1f1b", gpus=4, micro_batches=4, **keys)
    ran = case_of(cut(made, (7, 7, 7, 5)))
    told = other_balances(ran)[balance]
    assert told.stage_of_layer == stages == stages_by(model, balance, 4)


@pytest.mark.parametrize(("balance", "key"), [("flops", "forward_flops"), ("time", "backward_s")])
def test_a_cost_that_nobody_knows_is_named_with_its_layer(balance, key):
    unknown = measured(**{key: [1, 1, None, 1, 1, 1]})
    with pytest.raises(
        CaseError, match=rf"balance: {balance} is not known of block 1; use balance"
    ):
        costs_of(balance, unknown)


def test_stages_by_hand_are_those_of_the_case():
    case = msgspec.structs.replace(CASE, balance="4,2")
    assert make_stages(case).stage_of_layer == [0, 0, 0, 0, 1, 1]
    assert make_stages(case).placement().layers_per_gpu == [4, 2]


@pytest.mark.parametrize(
    ("balance", "stages", "is_possible"),
    [
        ("4,2", [0, 0, 0, 0, 1, 1], True),
        ("4,2", [0, 0, 0, 1, 1, 1], False),
        ("layers", [0, 0, 0, 1, 1, 1], True),
        ("layers", [0, 0, 1, 0, 1, 1], False),
        ("layers", [0] * 6, False),
    ],
)
def test_a_result_with_stages_other_than_its_cases_is_impossible(balance, stages, is_possible):
    case = Case(depth=6, gpus=2, schedule="1f1b", micro_batches=2, batch_size=4, balance=balance)
    counts = [stages.count(gpu) for gpu in range(2)]
    placement = Placement(gpu_of_layer=stages, layers_per_gpu=counts, stage_of_layer=stages)
    plain = msgspec.structs.replace(made_up_result(gpus=2).measurement, breakdown=None)
    assert (find_problem(case, placement, plain, emulated=True) is None) == is_possible
