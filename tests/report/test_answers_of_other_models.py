"""The answers of every task are right of a GPT, a ResNet and a factory's model, or absent."""

import msgspec
import pytest

from report.kinds import KINDS
from report.method import make_method
from tests.report.made_up import measuring, result
from tests.report.made_up_conditions import case_of
from tests.report.made_up_models import gpt
from tests.report.made_up_pipeline import scheduled


@pytest.fixture
def factory(tmp_path):
    """The keys of a case whose model comes from a file."""
    path = tmp_path / "mine.py"
    path.write_text("def build(): ...\n")
    return {"kind": "factory", "factory": f"{path}:build", "depth": 8, "batch_size": 64}


def told(table, *results):
    """All sentences of a kind of table on these results, headlines too."""
    known = [case_of(one) for one in results]
    answers = [text for answer in KINDS[table].answers(known)
               for text in (answer.question, *answer.sentences)]  # fmt: skip
    return " ".join([*KINDS[table].headlines(known), *answers])


def depths(kind, *numbers):
    return [
        result("task3", kind=kind, depth=n, gpus=1, batch_size=64, step_s=0.002 * (n + 3))
        for n in numbers
    ]


def test_depth_counts_blocks_of_a_gpt():
    text = told("step_time", *depths("gpt", 6, 12, 24))
    assert "each extra block adds about 2.00 ms" in text
    assert "layer" not in text


def test_blocks_of_a_resnet_are_unlike_so_none_adds_a_time():
    text = told("step_time", *depths("conv", 8, 16, 33))
    assert "No, more depth makes a step slower" in text
    assert "adds" not in text
    assert "average per" not in text


def test_layers_are_told_by_name_and_all_of_them_counted():
    text = told("layer_map", result("task3", kind="gpt", depth=6, gpus=2, batch_size=64))
    assert "of 8 layers, GPU 0 gets 4 layers (0–3: embedding and blocks 0–2)" in text
    assert "before layer 4, the fifth layer (layers count from 0; it is block 3)" in text
    assert "x = x.to(layer_device)" not in text


def test_a_v_names_both_runs_of_a_gpu():
    made = scheduled("zbv", gpus=2, micro_batches=4, kind="gpt", depth=6, batch_size=64)
    assert "in 2 runs (0–1, 6–7: embedding and block 0; block 5 and head)" in told(
        "layer_map", made
    )


def test_the_rule_counts_layers_and_shows_no_code_of_the_homework(factory):
    text = told("placement_rule", result("task3", gpus=2, **factory))
    assert "`i * gpus // layers`" in text
    assert "depth" not in text
    assert "nn.Linear" not in text


@pytest.mark.parametrize(("balance", "words"), [
    ("time", "Balanced by time, layers go to stages so that none of them takes much longer."),
    ("flops", "Balanced by FLOPs, layers go to stages so that none has many more operations."),
    ("parameters", "Balanced by parameters, layers go to stages so that none holds many more."),
    ("14,12", "The layers of each stage are given by hand: 14, 12."),
])  # fmt: skip
def test_each_balance_has_its_own_rule(balance, words):
    assert words in told("placement_rule", gpt("gpipe", 2, balance=balance))


def test_calls_are_one_before_each_layer_of_a_gpt():
    text = told("transfers", *[result("task3", kind="gpt", depth=6, gpus=g, batch_size=64)
                               for g in (1, 2)])  # fmt: skip
    assert "8 calls in one forward pass, one before each layer." in text


def test_arguments_are_axes_whatever_their_values_are(factory):
    made = [
        result("task3", gpus=1, step_s=s, **factory, **{"args.act": act})
        for act, s in (("relu", 0.1), (True, 0.2), (0.5, 0.1))
    ]
    text = told("step_time", *made)
    assert "args.act: Yes. From args.act relu to true" in text
    assert "args.act true takes 2.00 times as long as args.act relu" in text


def test_how_layers_were_measured_is_told_where_they_were():
    assert any("profiled alone" in line for line in make_method([case_of(gpt("naive", 1))]))
    assert not any("profiled" in line for line in make_method([case_of(result())]))


@pytest.mark.parametrize(("error_s", "told"), [(9e-6, "9 µs"), (0.0, None), (None, None)])
def test_how_well_clocks_of_gpus_agree_is_told_where_each_has_its_own(error_s, told):
    made = scheduled("1f1b", gpus=2)
    breakdown = msgspec.structs.replace(made.measurement.breakdown, clock_error_s=error_s)
    lines = " ".join(make_method([case_of(measuring(made, breakdown=breakdown))]))
    assert ("clocks of two GPUs agree" in lines) is (told is not None)
    assert told is None or f"agree to within {told}." in lines
