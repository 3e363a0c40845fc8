"""A result of another model than the linear stack needs its layers, and refuses absurd ones."""

import json

import msgspec
import pytest

from study.results.file import encode, read_result
from study.results.validation import ResultError
from tests.report.made_up import profile, result

GPT = {"kind": "gpt", "depth": 4, "gpus": 2}


def read_with(tmp_path, change):
    """Read a made-up result once its model was changed."""
    made = json.loads(encode(result(**GPT)))
    change(made)
    path = tmp_path / f"{made['case_id']}.json"
    path.write_text(json.dumps(made))
    return read_result(path)


def without(made):
    made["model"] = None


def one_less(made):
    made["model"]["layers"].pop()


def other_rows(made):
    made["model"]["rows"] += 1


def far_too_many(made):
    made["model"]["layers"][1]["forward_flops"] = 2**62


def no_bytes(made):
    made["model"]["layers"][1]["parameter_bytes"] = 0


def shares_with_a_later_one(made):
    made["model"]["layers"][1] |= {"shared_bytes": 8, "shares_with": 3}


def knows_one_part(made):
    made["model"]["layers"][1]["forward_flops"] = None


def loss_with_parameters(made):
    made["model"]["loss"] |= {"parameters": 1, "parameter_bytes": 4}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (without, "lacks the measured layers of its model, kind gpt"),
        (one_less, "has 5 measured layers; its case has 6"),
        (other_rows, "which is not its micro-batch"),
        (far_too_many, "a layer 1 with a number beyond any layer's"),
        (no_bytes, "a layer 1 whose parameters do not fit their bytes"),
        (shares_with_a_later_one, "a layer 1 that shares parameters with a later one"),
        (knows_one_part, "a layer 1 with some of its operations alone"),
        (loss_with_parameters, "a loss with parameters"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_impossible_layers_are_refused(tmp_path, change, words):
    with pytest.raises(ResultError, match=words):
        read_with(tmp_path, change)


def test_a_name_longer_than_any_is_refused_and_a_hostile_one_is_text(tmp_path):
    def name(text):
        return lambda made: made["model"]["layers"][1].update(name=text)

    assert read_with(tmp_path, name("<script>")).model.layers[1].name == "<script>"
    with pytest.raises(ResultError, match="<= 200"):
        read_with(tmp_path, name("x" * 201))


def test_the_linear_stack_has_no_measured_layers(tmp_path):
    made = result()
    path = tmp_path / f"{made.case_id}.json"
    path.write_bytes(encode(msgspec.structs.replace(made, model=profile(made.case))))
    with pytest.raises(ResultError, match="which kind linear does not have"):
        read_result(path)
