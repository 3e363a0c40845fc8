"""DDP and FSDP train what one GPU trains, say what they wait for, and count what they reduce."""

import json
import re
import subprocess
import sys

import pytest

from study.errors import ConfigError
from study.paths import ROOT
from study.results.file import decode
from study.validation import make_case
from tests.conftest import PATIENCE_S
from tests.mp.forked_data_parallel import LEFT_OUT, SHARED
from tests.mp.forked_families import FAMILIES
from tests.mp.said import lines_of

pytestmark = pytest.mark.long

CASE = {"depth": 4, "gpus": 2, "dim": 8, "batch_size": 8}
NOTES = {
    "conv batch": " BatchNorm normalises 8 rows at a time instead of 16: not the training of one "
    "GPU.",
    "dropout": " The gradients were checked with dropout switched off; training has it on.",
    "noise": " The model draws random numbers outside of nn.Dropout (first in step 3); gradients "
    "were not compared.",
    "ignored": " The loss is no mean over the rows, e.g. because it ignores some tokens: gradients "
    "differ by up to 0.075 of the largest from those of the whole batch.",
}
SAME = [name for name in FAMILIES if name not in (*LEFT_OUT, "same memory")]
of_each = pytest.mark.parametrize("schedule", SHARED)


@pytest.fixture(scope="module")
def said():
    """What two ranks say, by (what, model or fault, schedule)."""
    return {tuple(key): found for *key, found in lines_of("forked_data_parallel")}


@of_each
def test_every_kind_of_model_has_the_gradients_of_one_piece(said, schedule):
    found = {family: said["check", family, schedule] for family in SAME}
    assert found == {family: "equal" + NOTES.get(family, "") for family in SAME}


@of_each
@pytest.mark.parametrize("family", ["linear", "gpt tied", "tuple skip"])
def test_weights_stay_those_of_one_piece_step_after_step(said, schedule, family):
    assert said["steps", family, schedule] < 1e-5


@of_each
def test_a_fault_of_one_rank_is_found(said, schedule):
    start = f"schedule: {schedule}: the gradient of layer 3: weight on rank 1 "
    assert said["fault", "drop", schedule] == f"{start}is missing"
    assert said["fault", "scale", schedule].startswith(f"{start}differs from the unsplit model's")
    assert "differs from the unsplit" in said["fault", "compute_otherwise", schedule]
    assert "are two tensors in the same memory" in said["check", "same memory", schedule]


def test_ranks_that_draw_other_weights_train_the_first_ones_with_ddp_and_are_refused_with_fsdp(
    said,
):
    assert said["fault", "other weights", "ddp"] == "equal"
    assert "differs from the unsplit model's" in said["fault", "other weights", "fsdp"]


def test_fsdp_refuses_a_parameter_that_only_some_ranks_use(said):
    assert re.fullmatch(
        r"schedule: fsdp: step \d: experts\.\d\.weight has a gradient on some GPUs only; FSDP "
        "needs it on all of them, so use schedule: ddp",
        said["fault", "unequal", "fsdp"],
    )


@pytest.mark.parametrize(("family", "units"), [("gpt tied", 7), ("conv batch", 8)])
def test_collectives_are_those_that_the_parameters_need(said, family, units):
    """One bucket for DDP, with the buffers of each type; for FSDP a unit for each layer."""
    ddp, fsdp = said["sizes", family, "ddp"], said["sizes", family, "fsdp"]
    whole, buffers = ddp["parameters"], ddp["buffers"]
    of_buffers = [["broadcast", "forward", 2, buffers]] if buffers else []
    assert ddp["seen"] == [["all_reduce", "backward", 1, whole], *of_buffers]
    assert fsdp["seen"] == [
        ["all_gather_into_tensor", "backward", units, whole // 2],
        ["all_gather_into_tensor", "forward", units, whole // 2],
        ["reduce_scatter_tensor", "backward", units, whole],
    ]


@of_each
def test_an_instrumented_step_has_every_phase_and_the_waiting_one_after_another(said, schedule):
    seen = said["sizes", "conv batch", schedule]
    assert seen["kinds"] == [["backward", "collective", "forward", "optimizer"]] * 2
    assert not seen["overlaps"]
    reduced = {"ddp": ["all-reduce", "broadcast"], "fsdp": ["all-gather", "reduce-scatter"]}
    assert seen["waits"] == reduced[schedule]


@pytest.mark.parametrize(
    ("family", "kind", "layers"), [("gpt tied", "gpt", [4, 8]), ("conv batch", "conv", [6, 10])]
)
def test_a_calibration_takes_tiny_layers_of_the_models_own_kind(said, family, kind, layers):
    runs = said["host", family, "all"]
    for schedule in SHARED:
        mine = [run for run in runs if run["schedule"] == schedule]
        assert [(run["kind"], run["layers_per_gpu"]) for run in mine] == [(kind, n) for n in layers]
        for run in mine:
            once = {"forward": 1, "backward": 1, "optimizer": 1}
            assert {action["kind"]: action["per_step"] for action in run["actions"]} == once


def run(*command):
    done = subprocess.run(
        [sys.executable, *map(str, command)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """A results folder with a case of each, measured from the command line."""
    folder = tmp_path_factory.mktemp("results")
    (folder / "local").mkdir()
    keys = "--gpus 2 --depth 1 --dim 8 --batch-size 8 --warmup-steps 0 --steps 3 --device cpu"
    for schedule in SHARED:
        written = run("-m", "mp", "--schedule", schedule, *keys.split())
        (folder / f"local/{json.loads(written)['case_id']}.json").write_text(written)
    return folder


def test_a_case_with_fewer_layers_than_gpus_is_measured_from_the_command_line(measured):
    found = [decode(path.read_bytes()) for path in (measured / "local").iterdir()]
    assert sorted(result.case.schedule for result in found) == sorted(SHARED)
    for result in found:
        assert (result.outcome, result.emulated) == ("ok", True)
        assert result.placement.gpu_of_layer == []
        assert len(result.measurement.breakdown.per_gpu) == 2


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ("schedules", ["| DDP ", "| FSDP "]),
        ("placement_rule", ["all (1)", "a share of each (1)"]),
        ("memory", ["| DDP ", "| FSDP "]),
    ],
)
def test_a_report_names_them_and_says_what_each_gpu_holds(measured, tmp_path, table, words):
    grid = tmp_path / "mine.yaml"
    grid.write_text(
        f"title: Mine\ntable: {table}\naxes: {{schedule: [ddp, fsdp], gpus: [2]}}\n"
        "model: {depth: 1, dim: 8, batch_size: 8}\nmeasure: {steps: 3, warmup_steps: 0}\n"
    )
    page = tmp_path / "report.html"
    shown = run("collect.py", "--results", measured, "--grid", grid)
    run("collect.py", "--results", measured, "--grid", grid, "--report", page)
    assert all(word in shown for word in words), shown
    assert "FSDP" in page.read_text()
    if table == "schedules":
        assert "A collective is drawn while a GPU waits for it" in page.read_text()


@of_each
@pytest.mark.parametrize(
    ("keys", "words"),
    [
        (
            {"batch_size": 9},
            "batch_size: 9 is not divisible by 2 GPUs, as schedule: {} needs; use a mult",
        ),
        ({"micro_batches": 2}, "micro_batches: 2 with schedule: {}; it is for gpipe"),
        ({"balance": "time"}, "balance: time with schedule: {}; it is for gpipe"),
        ({"split": "half"}, "split: half with schedule: {}, which takes split: even"),
    ],
)
def test_what_data_parallelism_does_not_take_is_refused(schedule, keys, words):
    with pytest.raises(ConfigError, match=words.format(schedule)):
        make_case(CASE | keys | {"schedule": schedule}, "grid")
