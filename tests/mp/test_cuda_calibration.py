"""Calibrations on real GPUs, held against steps. Skipped without a GPU; run by hand.

One calibration of a linear stack serves most tests: under a minute on one GPU, and on two. The last
tests calibrate a GPT on two.
"""

import subprocess
import sys
from functools import cache
from pathlib import Path
from statistics import median
from tempfile import mkdtemp

import pytest
import torch

from mp.calibration.loads import BURSTS_S
from study.calibration.grid import calibration_for
from study.grids.file import load_grids
from study.results.file import read_result
from tests.mp.test_cuda_pipelines import run_options
from tests.mp.test_outcome import run

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
two_gpus = pytest.mark.skipif(torch.cuda.device_count() < 2, reason="needs two CUDA GPUs")
ROOT = Path(__file__).resolve().parent.parent.parent
DEPTH, LIMIT_S = 12, 20.0
GRID = f"""
title: Large
table: schedules
axes:
  schedule: [naive, gpipe, zbv, tensor]
  gpus: [2]
  micro_batches: [8]
  gradients: [separate, fused]
model: {{depth: {DEPTH}, dim: 4096, batch_size: 16384}}
train: {{dtype: bfloat16}}
"""
BATCH, ROWS = 16384, 2048
PASS = ("forward", "backward_later")
GPT = """
title: GPT
table: model
axes: {schedule: [1f1b, ddp, fsdp], gpus: [2], micro_batches: [4]}
model: {kind: gpt, depth: 4, dim: 512, heads: 8, seq_len: 256, vocab: 1000, batch_size: 16}
train: {dtype: bfloat16, optimizer: adam}
"""


@cache
def results():
    """The results of one GPU and of two, or of one where there is no second."""
    if torch.cuda.device_count() < 2:  # whose pair would be emulated on CPUs
        path = Path(mkdtemp()) / "large.yaml"
        path.write_text(GRID)
        made = calibration_for(load_grids([str(path)]), {"time_limit_s": LIMIT_S}, lambda case: 1)
        return [run(made.cases()[0], policy="cuda", requested=1, visible=1)]
    return calibrated(GRID, LIMIT_S)


@cache
def calibrated(grid, limit_s):
    """The results of one GPU and of two, for a grid."""
    folder = Path(mkdtemp())
    (folder / "mine.yaml").write_text(grid)
    words = ["--grid", "calibration", "--for", str(folder / "mine.yaml"), "--cluster", "local"]
    words += ["--set", f"time_limit_s={limit_s}", "--results", str(folder / "results")]
    command = [sys.executable, "submit.py", *words]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600)
    found = [read_result(path) for path in sorted((folder / "results/local").glob("*.json"))]
    assert all(result.outcome == "ok" for result in found), done.stderr
    return found


def alone():
    return results()[0].calibration


def pair():
    return results()[1].calibration


def seconds(action, pace, *, kind=1, rows=ROWS, gradients="separate", shares=1):
    """The median of one action of a layer."""
    (found,) = [
        t.seconds for t in alone().layers
        if (t.action, t.pace, t.kind, t.rows, t.gradients, t.shares)
        == (action, pace, kind, rows, gradients, shares)
    ]  # fmt: skip
    return found


def test_a_calibration_on_gpus_is_real_whole_and_in_time():
    one = results()[0]
    assert not one.emulated
    assert alone().left_out == ()
    assert alone().measuring_s < 1.5 * LIMIT_S
    assert one.environment.gpus[0].power_limit_w


def test_layers_are_timed_at_every_pace():
    assert {t.pace for t in alone().layers} == {"unthrottled", "sustained", "host"}
    assert {t.pace for t in alone().updates} >= {"unthrottled", "host"}


def under_load(action, **which):
    """The median under load, or after a pause where the host was too slow to load the GPU."""
    found = {
        t.pace: t.seconds for t in alone().layers
        if (t.action, t.kind, t.rows, t.gradients, t.shares)
        == (action, which["kind"], which["rows"], "separate", 1)
    }  # fmt: skip
    return found.get("sustained", found["unthrottled"])


def test_a_gpu_under_load_is_no_faster_than_after_a_pause():
    for action in ("forward", "backward_later"):
        loaded = seconds(action, "sustained", rows=BATCH)  # so many rows keep any host ahead
        assert loaded > 0.95 * seconds(action, "unthrottled", rows=BATCH)


def test_rows_have_no_times_that_no_case_asks_for():
    found = {(t.rows, t.gradients, t.action) for t in alone().layers if t.kind == 1}
    assert {rows for rows, gradients, _ in found if gradients == "fused"} == {ROWS}
    assert {rows for rows, _, action in found if action == "weight_later"} == {ROWS}


def test_no_layer_is_faster_than_the_hardware():
    flops = 2 * ROWS * 4096**2
    assert flops / seconds("forward", "unthrottled") < 2.5e15  # of no GPU yet in bfloat16


def test_backward_in_two_parts_takes_as_long_as_in_one():
    for gradients in ("separate", "fused"):
        parts = seconds("input_gradient", "unthrottled", gradients=gradients)
        parts += seconds("weight_later", "unthrottled", gradients=gradients)
        whole = seconds("backward_later", "unthrottled", gradients=gradients)
        assert parts == pytest.approx(whole, rel=0.25)


def test_fused_gradients_spare_the_addition_of_later_micro_batches():
    fused = seconds("backward_later", "unthrottled", gradients="fused")
    assert fused < 1.02 * seconds("backward_later", "unthrottled")


def test_half_a_layer_takes_about_half_the_time():
    whole = seconds("forward", "unthrottled", rows=BATCH)
    half = seconds("forward", "unthrottled", rows=BATCH, shares=2)
    assert 0.4 < half / whole < 0.8


def test_the_host_launches_a_large_layer_before_the_gpu_has_computed_it():
    assert seconds("forward", "host", rows=BATCH) < seconds("forward", "unthrottled", rows=BATCH)


def test_a_gpu_computes_for_the_shares_of_the_time_that_it_is_to():
    shares = [t.busy_share for t in alone().loaded]
    assert shares == pytest.approx([0.25, 0.5, 0.75, 0.9, 1.0], abs=0.12)
    assert all(t.sm_clock_hz and t.power_w for t in alone().loaded)
    assert alone().loaded[0].power_w < alone().loaded[-1].power_w


def test_a_gpu_computes_for_as_long_at_once_as_it_is_to():
    assert [t.burst_s for t in alone().bursts] == pytest.approx(BURSTS_S, rel=0.3)
    assert [t.busy_share for t in alone().bursts] == pytest.approx([0.5, 0.5], abs=0.12)


def test_a_naive_step_is_the_sum_of_its_layers_and_its_optimizer():
    step = run_options(
        f"--depth={DEPTH}", "--gpus=1", "--dim=4096", f"--batch-size={BATCH}",
        "--dtype=bfloat16", "--time-limit-s=5",
    )  # fmt: skip
    measured_s = median(step.measurement.step_times_s)
    actions = ("forward", "backward_first")
    layers_s = sum(
        count * under_load(action, kind=kind, rows=BATCH)
        for action in actions
        for kind, count in ((0, 1), (1, DEPTH - 1), (2, 1))
    )
    optimizer = [t for t in alone().updates if (t.action, t.pace) == ("optimizer", "unthrottled")]
    per_byte = optimizer[-1].seconds / optimizer[-1].bytes
    optimizer_s = per_byte * 2 * DEPTH * (4096**2 + 4096)
    assert layers_s + optimizer_s == pytest.approx(measured_s, rel=0.05)


def test_memory_beside_torch_is_known():
    (found,) = alone().memory
    assert 2**27 < found.bytes < 2**33


@two_gpus
def test_a_pair_measures_all_that_passes_between_its_gpus():
    assert pair().left_out == ()
    assert pair().measuring_s < 1.5 * LIMIT_S
    assert {t.beside for t in pair().beside} == {
        "nothing", "pending receive", "receive", "send", "all_reduce",
    }  # fmt: skip
    assert {m.after for m in pair().memory} == {"messages", "collectives"}


@two_gpus
def test_a_pair_times_the_same_layers_on_both_gpus_which_are_about_equally_fast():
    found = {}
    for t in pair().each_gpu:
        found.setdefault((t.action, t.pace), {})[t.rank] = t.seconds
    assert {pace for _, pace in found} >= {"unthrottled"}
    assert {action for action, _ in found} >= {"forward", "backward_later"}
    for times in found.values():
        assert times.keys() == {0, 1}
        assert times[0] == pytest.approx(times[1], rel=0.15)


@two_gpus
def test_layers_between_all_reduces_take_as_long_as_between_a_pause_and_full_load():
    assert [t.rank for t in pair().alternating] == [0, 1]
    for time in pair().alternating:
        assert 0.2 < time.busy_share < 0.8
        its = {
            pace: sum(t.seconds for t in pair().each_gpu
                      if (t.rank, t.pace) == (time.rank, pace) and t.action in PASS)
            for pace in ("unthrottled", "sustained")
        }  # fmt: skip
        assert 0.9 * its["unthrottled"] < time.seconds < 1.2 * max(its.values())


@two_gpus
def test_messages_in_a_row_take_no_longer_than_one_from_idle():
    size = max(m.bytes for m in pair().messages)
    found = {m.way: m.seconds for m in pair().messages if m.bytes == size}
    assert found["in a row"] < found["from idle"]
    assert found["in a row"] <= 1.1 * found["relay"]


@two_gpus
def test_layers_beside_a_transfer_take_no_less_time_than_alone():
    for action in ("forward", "backward_later"):
        by_name = {t.beside: t.seconds for t in pair().beside
                   if t.action == action and t.rows == ROWS}  # fmt: skip
        assert all(its > 0.97 * by_name["nothing"] for its in by_name.values())


@two_gpus
def test_a_transfer_beside_layers_takes_no_less_time_than_alone():
    found = {(t.direction, t.rows, t.layers_s > 0): t for t in pair().transfers}
    assert {(way, ROWS, True) for way in ("receive", "send")} <= found.keys()
    for (way, rows, is_shared), shared in found.items():
        if is_shared:
            assert shared.seconds > shared.layers_s
            assert shared.seconds > 0.97 * found[way, rows, False].seconds


@two_gpus
def test_the_host_takes_longer_for_more_layers_and_in_a_step_for_more_micro_batches():
    runs = {
        (run.micro_batches, run.layers_per_gpu): run
        for run in pair().host
        if (run.schedule, run.gradients) == ("gpipe", "separate")
    }
    few, deep, long = runs[4, 2], runs[4, 6], runs[8, 2]
    forward = {name: {a.kind: a.seconds for a in run.actions}["forward"]
               for name, run in (("few", few), ("deep", deep))}  # fmt: skip
    assert forward["deep"] > forward["few"]
    assert median(long.step_times_s) > median(few.step_times_s)


def runs_of_gpt(schedule):
    _, its_pair = calibrated(GPT, 20.0)
    assert its_pair.calibration.left_out == ()
    return [run for run in its_pair.calibration.host if run.schedule == schedule]


@two_gpus
@pytest.mark.parametrize("schedule", ["ddp", "fsdp"])
def test_the_host_launches_tiny_blocks_of_a_gpt_under_data_parallelism(schedule):
    few, many = runs_of_gpt(schedule)
    assert [(its.kind, its.layers_per_gpu) for its in (few, many)] == [("gpt", 4), ("gpt", 8)]
    for kind in ("forward", "backward"):
        by_run = [{a.kind: a.seconds for a in its.actions}[kind] for its in (few, many)]
        assert by_run[0] < by_run[1]
    assert {its.kind for its in runs_of_gpt("1f1b")} == {"linear"}


@two_gpus
@pytest.mark.parametrize("schedule", ["ddp", "fsdp"])
def test_a_step_of_so_small_a_gpt_takes_as_long_as_these_runs_say(schedule):
    sizes = "--kind=gpt --depth=4 --dim=16 --heads=2 --seq-len=8 --vocab=32 --batch-size=16"
    options = f"--schedule={schedule} --gpus=2 --dtype=bfloat16 --optimizer=adam --steps=60"
    step = run_options(*sizes.split(), *options.split())
    few_s, many_s = (median(its.step_times_s) for its in runs_of_gpt(schedule))
    assert (few_s + many_s) / 2 == pytest.approx(median(step.measurement.step_times_s), rel=0.3)
