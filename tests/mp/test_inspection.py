"""`python -m mp --inspect` shows a model before it runs; stdout has nothing else."""

import json
import re

import pytest

from mp.correctness.notes import DROPOUT

pytestmark = pytest.mark.long

MODEL = """
import os
from collections import OrderedDict

import torch
from torch import nn


class Loud(nn.Linear):
    def forward(self, x):
        print("python's stdout")
        os.write(1, b"stdout by number")
        return super().forward(x)


def build(wide=8, depth=10):
    torch.set_num_threads(1 + torch.get_num_threads())
    layers = OrderedDict(first=Loud(4, wide), **{"<b>": nn.Linear(wide, 4)})
    layers |= {f"{i}": nn.Linear(4, 4) for i in range(2, depth)}
    return nn.Sequential(layers), lambda n: torch.randn(2, n, 4).unbind(), nn.functional.mse_loss
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(MODEL)
    return path


def test_a_model_is_shown_by_its_layers_cuts_memory_and_refusals(run, file):
    asked = ("--factory", f"{file}:build", "--arg", "wide=400", "--device", "cpu")
    done = run("-m", "mp", *asked, "--inspect")
    assert done.returncode == 0, done.stderr
    text = done.stdout
    assert f"{file}:build: 10 layers, 3,764 parameters" in text
    assert "0  first" in text
    assert "1  <b>" in text
    # 64 rows: two products of (64, 4) by (4, 400); the first layer's input needs no gradient.
    assert "2,000" in text.splitlines()[3]
    assert "0.205           0.205" in text.splitlines()[3]
    assert "(1,9)" in text  # parameters on two GPUs: the first layer has more than all behind it
    assert "1f1b      2                 4" in text
    assert re.search(r"ddp +8 +1 +[\d.]+ MiB each", text)
    assert re.search(r"fsdp +8 +1 +[\d.]+ MiB each", text)
    assert "zbv on 8 GPUs: depth: 10 layers are fewer than the 16 stages" in text
    assert "build changes torch.set_num_threads; this was undone" in text
    assert "depth: 10, batch_size: 64, args: {wide: 400}}" in text
    assert "stdout by number" not in text
    assert "python's stdout" not in text


def test_a_shared_weight_is_refused_where_it_would_lie_on_two_gpus_only(run, tmp_path):
    path = tmp_path / "tied.py"
    path.write_text(
        "import torch\nfrom torch import nn\n\ndef build():\n"
        "    layers = [nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4)]\n"
        "    layers[2].weight = layers[0].weight\n"
        "    return layers, lambda n: torch.randn(2, n, 4).unbind(), nn.functional.mse_loss\n"
    )
    done = run("-m", "mp", "--factory", f"{path}:build", "--device", "cpu", "--inspect")
    assert done.returncode == 0, done.stderr
    assert "- naive on several GPUs: Linear 0: weight and Linear 2: weight are one" in done.stdout
    assert "every case" not in done.stdout


def test_what_cannot_be_inspected_is_one_line(run, file):
    missing = run("-m", "mp", "--factory", f"{file}:nothing", "--inspect")
    assert (missing.returncode, missing.stdout) == (2, "")
    assert missing.stderr == f"error: {file} has no function nothing; its functions: build\n"


def test_only_the_result_is_on_stdout_whatever_the_layers_print(run, file):
    where = ("--depth", 10, "--gpus", 2, "--device", "cpu", "--steps", 3, "--warmup-steps", 1)
    done = run("-m", "mp", "--factory", f"{file}:build", *where)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["outcome"] == "ok"
    assert "python's stdout" in done.stderr
    assert "stdout by number" in done.stderr


TIED = """
import torch
from torch import nn


def build():
    first, last = nn.Embedding(10, 4), nn.Linear(4, 10, bias=False)
    last.weight = first.weight

    def batch(rows):
        ids = torch.randint(10, (rows,))
        return ids, ids

    return [first, nn.Linear(4, 4), last], batch, nn.functional.cross_entropy
"""


def test_a_weight_that_two_layers_share_counts_once_and_is_refused_for_naive_alone(run, tmp_path):
    (tmp_path / "tied.py").write_text(TIED)
    done = run("-m", "mp", "--factory", f"{tmp_path}/tied.py:build", "--device", "cpu", "--inspect")
    assert done.returncode == 0, done.stderr
    assert "3 layers, 60 parameters" in done.stdout
    assert (
        "naive on several GPUs: Embedding 0: weight and Linear 2: weight are one tensor"
        in done.stdout
    )
    assert "every case" not in done.stdout


def test_notes_of_the_check_are_shown_once(run, tmp_path):
    path = tmp_path / "drops.py"
    path.write_text(
        "import torch\nfrom torch import nn\n\n\ndef build(depth=2):\n"
        "    layers = [nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.5)) for _ in range(depth)]\n"
        "    return layers, lambda n: torch.randn(2, n, 4).unbind(), nn.functional.mse_loss\n"
    )
    own = ("--factory", f"{path}:build", "--batch-size", "4", "--device", "cpu", "--inspect")
    done = run("-m", "mp", *own)
    assert done.returncode == 0
    assert done.stdout.count(DROPOUT) == 1
