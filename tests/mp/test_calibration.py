"""Calibrations of a grid through submit.py: one process alone, and two ranks over Gloo."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from study.results.calibration.plausible import find_calibration_problem
from study.results.file import read_result

ROOT = Path(__file__).resolve().parent.parent.parent
SMALL = """
title: Small
table: schedules
axes:
  schedule: [naive, gpipe, zbv, ddp, tensor]
  gpus: [2]
  gradients: [separate, fused]
  micro_batches: [4]
model: {depth: 8, dim: 32, batch_size: 32}
train: {optimizer: adam}
"""
PIPELINES = ("gpipe", "zbv")


def python(*words):
    command = [sys.executable, *map(str, words)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)


@pytest.fixture(scope="module")
def calibrated(tmp_path_factory):
    """The finished command, the results of one GPU and of the pair, and their folder."""
    folder = tmp_path_factory.mktemp("calibrated")
    grid, results = folder / "small.yaml", folder / "results"
    grid.write_text(SMALL)
    words = ["--grid", "calibration", "--for", grid, "--set", "time_limit_s=3"]
    done = python("submit.py", *words, "--cluster", "local", "--results", results)
    paths = sorted((results / "local").glob("calibration-*.json"))
    return done, [read_result(path) for path in paths], results, words


def test_a_calibration_is_an_ordinary_job_with_an_ordinary_result(calibrated):
    done, results, _, _ = calibrated
    assert done.returncode == 0, done.stderr
    assert "2 of 2 cases measured" in done.stdout
    assert [(r.outcome, r.case.gpus) for r in results] == [("ok", 1), ("ok", 2)]
    assert all(r.measurement is None and r.calibration is not None for r in results)


def test_its_environment_says_where_it_holds_and_its_job_when(calibrated):
    for result in calibrated[1]:
        assert result.environment.torch
        assert result.environment.host
        assert result.job.started_at <= result.job.finished_at
        assert result.phases


def test_the_status_of_calibrations_is_that_of_those_for_a_grid(calibrated):
    _, _, results, words = calibrated
    where = ("--cluster", "local", "--results", results)
    done = python("submit.py", *words, *where, "--status")
    assert done.stdout.endswith("2 ok\n"), done.stderr
    done = python("submit.py", *words, "--set", "depth=7", *where, "--status")
    assert "not submitted: calibration-d7-g1-" in done.stdout


def test_nothing_that_was_asked_for_is_missing(calibrated):
    for result in calibrated[1]:
        assert result.calibration.left_out == ()
        assert find_calibration_problem(result.case, result.calibration) is None


def test_one_gpu_has_the_layers_and_the_pair_what_passes_between(calibrated):
    one, pair = (result.calibration for result in calibrated[1])
    alone = ("layers", "updates", "loaded")
    between = ("messages", "collectives", "beside", "alternating")
    assert all(getattr(one, part) for part in alone)
    assert all(getattr(pair, part) for part in between)
    assert not any(getattr(pair, part) for part in alone)
    assert not any(getattr(one, part) for part in between)
    assert one.kinds == pair.kinds


def test_each_schedule_runs_with_all_its_processes_at_once(calibrated):
    one, pair = (result.calibration for result in calibrated[1])
    assert {run.schedule for run in one.host} == {"naive"}
    assert {run.schedule for run in pair.host} == {*PIPELINES, "ddp", "tensor"}
    assert {run.gpus for run in pair.host} == {2}


def test_a_pipeline_has_the_hosts_time_of_each_of_its_actions(calibrated):
    pair = calibrated[1][1].calibration
    for run in pair.host:
        kinds = {action.kind: action.per_step for action in run.actions}
        if run.schedule not in PIPELINES:
            once = {"forward": 1, "backward": 1, "optimizer": 1}
            assert kinds == (once if run.schedule == "ddp" else {})
            continue
        chunks = 2 if run.schedule == "zbv" else 1
        assert kinds["forward"] == chunks * run.micro_batches
        assert ("weight_gradient" in kinds) is (run.schedule != "gpipe")
        assert kinds["between"] == kinds["optimizer"] == kinds["scaling"] == kinds["before"] == 1
        is_put_off = (run.schedule, run.gradients) == ("zbv", "separate")
        assert ("backward" in kinds) is (run.schedule == "gpipe" or is_put_off)


def test_the_messages_of_two_gpus_are_a_send_and_a_receive_for_each_micro_batch(calibrated):
    pair = calibrated[1][1].calibration
    for run in pair.host:
        if run.schedule == "gpipe":
            assert run.messages == 2 * run.micro_batches


def test_depth_and_micro_batches_vary_so_that_their_parts_can_be_told_apart(calibrated):
    pair = calibrated[1][1].calibration
    its = [r for r in pair.host if (r.schedule, r.gradients) == ("zbv", "fused")]
    assert len({run.layers_per_gpu for run in its}) == 2
    assert len({run.micro_batches for run in its}) == 2


def test_messages_have_the_sizes_that_stages_pass_on(calibrated):
    pair = calibrated[1][1]
    sizes = {message.bytes for message in pair.calibration.messages}
    assert {rows * pair.case.dim * 4 for rows in (8, 16, 32)} <= sizes
    assert {m.way for m in pair.calibration.messages} == {
        "from idle", "in a row", "relay", "exchange",
    }  # fmt: skip


def test_layers_are_timed_beside_every_kind_of_transfer(calibrated):
    pair = calibrated[1][1].calibration
    assert {entry.beside for entry in pair.beside} == {
        "nothing", "pending receive", "receive", "send", "all_reduce",
    }  # fmt: skip
    assert {entry.action for entry in pair.beside} == {"forward", "backward_later"}


def test_layers_are_timed_between_all_reduces_on_both_ranks(calibrated):
    one, pair = (result.calibration for result in calibrated[1])
    assert [time.rank for time in pair.alternating] == [0, 1]
    for time in pair.alternating:
        assert 0 < time.busy_share <= 1
        assert time.kind in {layer.kind for layer in one.layers if layer.rows == time.rows}


def test_every_transfer_that_is_timed_with_layers_beside_it_is_timed_alone_too(calibrated):
    """Transfers may be missing: on a busy CPU they can end before the layers."""
    pair = calibrated[1][1].calibration
    shared, alone = (
        {(entry.direction, entry.rows, entry.bytes) for entry in pair.transfers if pick(entry)}
        for pick in (lambda entry: entry.layers_s > 0, lambda entry: entry.layers_s == 0)
    )
    assert shared == alone
    assert len(shared) + len(alone) == len(pair.transfers)
    assert {rows for _, rows, _ in alone} <= {entry.rows for entry in pair.beside}


def test_a_calibration_that_is_there_is_not_measured_again(calibrated):
    _, _, results, words = calibrated
    done = python("submit.py", *words, "--cluster", "local", "--results", results, "--dry-run")
    assert done.returncode == 0, done.stderr
    assert "0 to run, 2 left out" in done.stdout


def test_the_status_of_all_calibrations_needs_no_grid_that_they_are_for(calibrated):
    _, _, results, _ = calibrated
    done = python("submit.py", "--grid", "calibration", "--status", "--results", results)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("2 ok\n")


def test_collect_shows_where_and_when_each_was_measured_and_what_it_found(calibrated):
    _, (one, pair), results, _ = calibrated
    done = python("collect.py", "--grid", "calibration", "--results", results)
    assert done.returncode == 0, done.stderr
    for result in (one, pair):
        line = next(li for li in done.stdout.splitlines() if f"| {result.case_id}" in li)
        assert f"{result.job.finished_at[:10]} {result.job.finished_at[11:16]} UTC" in line
        assert result.environment.host in line
        assert result.environment.torch in line
        assert "micro-batches of 8, 16, 32 rows" in line
    for caption in ("one layer with one micro-batch", "Messages between two GPUs", "Collectives"):
        assert caption in done.stdout
    if one.emulated:
        assert "emulated: no step on GPUs follows from that" in done.stdout


def test_a_folder_without_calibrations_is_named_with_the_command_that_measures_one(tmp_path):
    folder = tmp_path / "results"
    (folder / "local").mkdir(parents=True)
    for path in (ROOT / "docs/example/results").rglob("d20-g*.json"):
        shutil.copy(path, folder / "local")
    done = python("collect.py", "--grid", "calibration", "--results", folder)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        f"error: --grid: calibration: {folder} has none; "
        "submit.py --grid calibration --for GRID measures one\n"
    )


def test_everything_that_was_submitted_has_calibrations_among_it(calibrated):
    _, _, results, _ = calibrated
    shown = python("collect.py", "--results", results)
    assert shown.returncode == 0, shown.stderr
    assert "## Calibration: what the steps of predictions are made of" in shown.stdout


def test_no_table_of_steps_takes_a_calibration_for_a_case_of_its_own(calibrated):
    _, _, results, _ = calibrated
    done = python("collect.py", "--grid", "task4", "--results", results)
    assert done.returncode == 1
    assert "calibration-" not in done.stdout


def test_the_values_of_calibrations_can_be_had_as_json(calibrated):
    _, (one, _), results, _ = calibrated
    words = ("--grid", "calibration", "--format", "json", "--raw", "--results", results)
    (table,) = json.loads(python("collect.py", *words).stdout)
    assert table["grid"] == "calibration"
    found = table["rows"][0]["result"]["calibration"]
    assert found["layers"] == [msgspec.to_builtins(t) for t in one.calibration.layers]
