"""A function in a user's file gives the layers: what it may return, and what is refused how."""

import os
import signal
import sys
import warnings

import msgspec
import pytest
import torch
from torch import nn

from mp.correctness.check import check_equals_unsplit
from mp.engine import Communicator
from mp.families.factory import Factory
from mp.hardware.devices import choose_devices
from mp.single.engine import SingleEngine
from study.errors import CaseError
from study.validation import make_case
from tests.hostile import HOSTILE

GOOD = """
import torch
from torch import nn

def batch(rows):
    return torch.randn(rows, 4), torch.randn(rows, 4)

def layers(n=3):
    return [nn.Linear(4, 4) for _ in range(n)]

loss = nn.functional.mse_loss
"""


@pytest.fixture
def factory(tmp_path):
    """Make the model of a file: GOOD and more source, of which `build` is the factory."""

    def make(source, depth=3, **keys):
        path = tmp_path / f"{len(list(tmp_path.iterdir()))}.py"
        path.write_text(GOOD + source)
        return Factory(
            make_case({"factory": f"{path}:build", "depth": depth, "gpus": 1} | keys, "")
        )

    return make


def refusal(make, *arguments, **keys):
    """The words of the refusal that meets the model at the latest before it is measured."""

    def use():
        model = make(*arguments, **keys)
        model.activations(4)
        model.small_case()

    with pytest.raises(CaseError) as caught:
        use()
    words = str(caught.value)
    assert "\n" not in words
    return words


# --- what it may return ---

RETURNS = {
    "an object": "from types import SimpleNamespace as M\n"
    "return M(layers=layers(), batch=batch, loss=loss)",
    "a dict": "return {'layers': layers(), 'batch': batch, 'loss': loss}",
    "a tuple": "return layers(), batch, loss",
    "a Sequential": "return nn.Sequential(*layers()), batch, loss",
    "a ModuleList": "return nn.ModuleList(layers()), batch, loss",
    "a generator": "return (layer for layer in layers()), batch, loss",
    "callables": "return [lambda: nn.Linear(4, 4)] * 3, batch, loss",
    "a unit and a small model": "return layers(), batch, loss, ('token', 7), {}",
    "an object whose layers are of another type":
        "return [layer.double() for layer in layers()], batch, loss",
}  # fmt: skip


def body(lines, signature=""):
    return f"def build({signature}):\n" + "".join(f"    {line}\n" for line in lines.split("\n"))


@pytest.mark.parametrize("lines", RETURNS.values(), ids=RETURNS)
def test_a_model_may_be_returned_in_many_ways_and_equals_its_own_split(lines, factory):
    model = factory(body(lines), gpus=3)
    assert [tuple(x.shape) for x in model.activations(5)] == [(5, 4)] * 4
    engine = SingleEngine(model.case, Communicator(choose_devices(3, "cpu")), Factory)
    check_equals_unsplit(engine)


def test_layers_have_the_names_that_the_user_gave_else_their_class_and_number(factory):
    named = "return nn.Sequential(OrderedDict(embed=nn.Linear(4, 4), head=nn.ReLU())), batch, loss"
    source = f"from collections import OrderedDict\n{body(named)}"
    assert factory(source, depth=2).names() == ["embed", "head"]
    assert factory(body("return layers(), batch, loss")).names() == [
        "Linear 0",
        "Linear 1",
        "Linear 2",
    ]


@pytest.mark.parametrize(
    "name", [*HOSTILE, "<script>alert(1)</script>", "x" * 10_000, "a\n\x1b[31m"]
)
def test_a_hostile_name_of_a_layer_is_one_short_printable_line(name, factory):
    source = f"L = type({name!r}.replace(chr(0), ' '), (nn.Linear,), {{}})\n"
    source = source.encode("utf-8", "replace").decode()
    (shown, *_) = factory(source + body("return [L(4, 4)], batch, loss"), depth=1).names()
    assert shown.isprintable()
    assert 0 < len(shown) <= 62


def test_callables_start_from_a_seed_of_their_own_number_so_that_any_split_is_equal(factory):
    model = factory(body("return [lambda: nn.Linear(4, 4)] * 3, batch, loss"), seed=5)
    weights = [layer.weight for layer in model.layers()]
    torch.manual_seed(7)
    assert torch.equal(weights[2], nn.Linear(4, 4).weight)
    assert torch.equal(model.layer(2).weight, weights[2])
    assert not torch.equal(weights[0], weights[1])


def test_thousands_of_light_layers_are_no_problem(factory):
    model = factory(body("return [nn.Identity() for _ in range(2_999)] + layers(1), batch, loss"),
                    depth=3_000)  # fmt: skip
    assert len(model.activations(2)) == 3_001
    assert model.small_case() == model.case


def test_arguments_reach_the_factory_and_small_ones_replace_them(factory):
    source = body(
        "l = [nn.Linear(width, width) for _ in range(2)]\n"
        "b = lambda rows: (torch.randn(rows, width), torch.randn(rows, width))\n"
        "return {'layers': l, 'batch': b, 'loss': loss, 'small': {'width': 3}}",
        "width",
    )
    model = factory(source, depth=2, **{"args.width": 6})
    assert model.activations(1)[0].shape == (1, 6)
    assert model.small_case().arguments == {"width": 3}


# --- what is refused ---

OK = body("return layers(), batch, loss")
REFUSED = {
    "raise ValueError('no such thing')": "build raises ValueError: no such thing",
    "raise SystemExit(3)": "build ends the program with SystemExit(3); return the layers",
    "raise KeyboardInterrupt": "build raises KeyboardInterrupt",
    "build()": "build raises RecursionError",
    "return None": "build returns NoneType without layers and batch and loss",
    "return nn.Sequential(*layers())": "without batch and loss",
    "return layers(), batch": "build returns tuple without loss",
    "return layers(), 5, loss": "build returns int as batch, which must be a function",
    "return nn.Linear(4, 4), batch, loss": "build returns Linear as layers; return nn.Sequential",
    "return 'abc', batch, loss": "build returns str as layers",
    "return layers(4), batch, loss": "build returns 4 layers, depth says 3; set depth: 4",
    "return iter(layers(2)), batch, loss": "build returns 2 layers, depth says 3; set depth: 2",
    "return iter(lambda: nn.ReLU(), 0), batch, loss": "build returns more than 3 layers",
    "return [1, 2, 3], batch, loss": "build layer 0: is int, and must be a module of torch",
    "return [lambda: 1] * 3, batch, loss": "build layer 0: is int, and must be a module",
    "return [lambda: {}['x']] * 3, batch, loss": "build: layer 0 raises KeyError: 'x'",
    "return layers(), batch, loss, ('token', 0)": "build returns unit ('token', 0); write e.g.",
    "return layers(), batch, loss, None, {'w': [1]}": "build returns small {'w': [1]}",
    "return layers(), batch, loss, None, {'w': 1}": "takes (), and args: {'w': 1} do not fit",
    "return layers(), lambda rows: 5, loss": "build batch(4): returns int; return (input, target)",
    "return layers(), lambda rows: batch(2), loss": "input has shape (2, 4); the first dimension",
    "return layers(), lambda rows: (5, 5), loss": "batch(4): its input is int and no tensor",
    "return layers(), lambda rows: 1 / 0, loss": "build: batch(4) raises ZeroDivisionError",
    "return [nn.LSTM(4, 4)] * 3, batch, loss": "(LSTM 0): returns a tuple with tuple; a layer",
    "return [*layers(2), nn.Flatten(0)], batch, loss":
        "layer 2 (Flatten 2): returns shape (16,) for 4 rows; the first dimension must be the rows",
    "return [*layers(2), nn.Linear(5, 4)], batch, loss": "layer 2 (Linear 2) raises RuntimeError",
    "return layers(), batch, lambda o, t: o.mean(1)": "loss: returns shape (2,); return its mean",
    "return layers(), batch, lambda o, t: 5.0": "loss: returns float; return a tensor of one",
    "return layers(), batch, lambda o, t: o.mean() / 0": "for the first batch; it must be finite",
    "return [nn.ReLU()] * 3, batch, loss": "loss: has no gradient; no layer has a parameter",
    "torch.seed(); return layers(), batch, loss": "makes other weights or another batch",
    "return [nn.Linear(256, 256)] * 3, big, loss": "is too large for the check",
}  # fmt: skip
MORE = """
def big(rows):
    x = torch.zeros(1).expand(rows, 10**7, 256)
    return x, x
"""


@pytest.mark.parametrize("lines", REFUSED)
def test_a_breach_of_the_contract_is_refused_in_one_line_with_what_to_do(lines, factory):
    assert REFUSED[lines] in refusal(factory, MORE + body(lines))


def test_a_file_that_does_not_load_or_lacks_the_function_is_refused(factory):
    assert ".py: loading it raises SyntaxError" in refusal(factory, "def build(:")
    assert "has no function build; its functions: batch, layers" in refusal(factory, "")
    assert "has no function build" in refusal(factory, "build = 5")
    assert "loading it raises ModuleNotFoundError" in refusal(factory, "import not_there")
    assert "loading it ends the program" in refusal(factory, "raise SystemExit")


def test_arguments_that_the_function_does_not_take_are_refused_with_those_it_takes(factory):
    words = refusal(factory, body("return 0", "width, depth=2"), **{"args.wide": 3})
    assert "takes (width, depth=2), and args: {'wide': 3} do not fit" in words


def test_a_file_edited_or_removed_since_it_was_submitted_is_refused(factory, tmp_path):
    case = factory(OK).case
    old = msgspec.structs.replace(case, sha256="0" * 64)
    path = tmp_path / "0.py"
    assert refusal(Factory, old) == f"{path} was edited since it was submitted; submit again"
    path.unlink()
    assert f"{path} cannot be read: No such file" in refusal(Factory, old)
    Factory(case)  # read once, and then never again


# --- global state ---

CHANGES = {
    "torch.set_default_dtype(torch.float64)": "torch.set_default_dtype",
    "torch.set_num_threads(1 + torch.get_num_threads())": "torch.set_num_threads",
    "torch.set_float32_matmul_precision('medium')": "torch.set_float32_matmul_precision",
    "torch.backends.cuda.matmul.fp32_precision = 'tf32'": "torch.set_float32_matmul_precision",
    "torch.use_deterministic_algorithms(True)": "torch.use_deterministic_algorithms",
    "torch.set_grad_enabled(False)": "torch.set_grad_enabled",
    "torch.backends.cudnn.benchmark = True": "torch.backends.cudnn.benchmark",
    "__import__('os').environ['RANK'] = '9'": "variables of libraries and ranks",
    "__import__('os').chdir('/')": "the current folder",
    "__import__('gc').disable()": "gc",
    "__import__('signal').signal(15, lambda *_: 0)": "signal handlers",
}


def state():
    return (
        torch.get_default_dtype(), torch.empty(1).device, torch.get_num_threads(),
        torch.get_float32_matmul_precision(), torch.are_deterministic_algorithms_enabled(),
        torch.is_grad_enabled(), torch.backends.cudnn.benchmark, os.environ.get("RANK"),
        os.getcwd(), signal.getsignal(15), signal.getsignal(2), list(warnings.filters),
        torch.get_rng_state().tolist(), sys.getrecursionlimit(),
    )  # fmt: skip


def test_a_default_device_is_refused_since_layers_are_made_on_the_cpu(factory):
    before = state()
    words = refusal(factory, f"torch.set_default_device('meta')\n{OK}")
    assert ".py: loading it changes torch.set_default_device; leave that out" in words
    assert state() == before


@pytest.mark.parametrize("line", CHANGES)
@pytest.mark.parametrize("where", ["file", "build", "batch"])
def test_a_change_of_global_state_is_undone_and_named(line, where, factory, capfd):
    source = {
        "file": f"{line}\n{OK}",
        "build": body(f"{line}\nreturn layers(), batch, loss"),
        "batch": f"def drawn(rows):\n    {line}\n    return [*torch.zeros(2, rows, 4)]\n"
        + body("return layers(), drawn, loss"),
    }[where]
    before = state()
    model = factory(source)
    model.batch(2)
    assert state() == before
    assert any(CHANGES[line] in note for note in model.code.notes)
    assert f"changes {CHANGES[line]}; this was undone" in capfd.readouterr().err


def test_a_layer_that_changes_global_state_in_every_step_is_refused(factory):
    forward = "torch.set_num_threads(3)\n        return x * self.weight.sum()"
    layer = f"class L(nn.Linear):\n    def forward(self, x):\n        {forward}\n"
    words = refusal(factory, layer + body("return [L(4, 4)] * 3, batch, loss"))
    assert "layer 0 (L 0): its forward changes torch.set_num_threads in every step" in words


def test_prints_go_to_stderr_and_end_somewhere(factory, capfd):
    factory("print('here')\n" + body("print('x' * 10**6)\nreturn layers(), batch, loss"))
    out, err = capfd.readouterr()
    assert out == ""
    assert "here" in err
    assert "prints more than 65536 characters; the rest is left out" in err
    assert len(err) < 70_000


def test_the_file_is_run_once_under_a_name_of_its_own_and_its_folder_comes_last(factory, tmp_path):
    (tmp_path / "study.py").write_text("raise RuntimeError('imported in place of ours')")
    (tmp_path / "beside.py").write_text("VALUE = 1")
    source = (
        "import sys, beside, study\nsys.path.insert(0, '/nowhere')\n"
        "run = sys.__dict__.setdefault('runs', [])\nrun.append(__name__)\n"
        "from dataclasses import dataclass\n@dataclass\nclass D:\n    x: int\n"
    )
    before = list(sys.path)
    try:
        model = factory(source + OK)
        Factory(model.case)
        assert len(sys.runs) == 1
        assert sys.runs[0].startswith("_model_")
        assert sys.path[: len(before)] == before
    finally:
        del sys.runs
        sys.path[:] = before


EXAMPLES = {"mlp": 6, "moe": 6}


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_examples_keep_their_contract(name):
    keys = {"factory": f"models/{name}.py:build", "depth": EXAMPLES[name], "gpus": 2}
    model = Factory(make_case(keys, ""))
    assert len(model.names()) == EXAMPLES[name]
    assert model.activations(2)[-1].shape[0] == 2
    model.small_case()
    assert model.code.notes == []
