"""Every schedule computes what the unsplit model computes, on real processes over Gloo."""

import json
import subprocess
import sys

import pytest
import torch

from mp.correctness.differences import differ
from mp.timing.timeline import Span, Timeline, break_down, dependencies
from study.balance import balanced_map
from study.paths import ROOT
from tests.conftest import PATIENCE_S
from tests.mp.forked_ranks import cases

pytestmark = pytest.mark.long


def run_ranks(how, counts):
    command = [sys.executable, "-m", "tests.mp.forked_ranks", how, ",".join(map(str, counts))]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_S)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.parametrize("counts", [(1, 2, 3), (5,), (8,)])
def test_loss_and_gradients_of_every_schedule_equal_the_unsplit_models(counts):
    expected = [
        f"{ranks} {case.schedule} {case.micro_batches}: equal"
        for ranks in counts
        for case in cases(ranks)
    ]
    assert run_ranks("right", counts) == expected


def test_a_wrong_gradient_is_found_and_its_layer_and_rank_named():
    lines = run_ranks("broken", [2])
    assert len(lines) == len(cases(2))
    assert all("the gradient of layer 2: weight on rank" in line for line in lines)


def test_gradients_of_a_deep_model_are_held_to_their_own_size():
    tiny = torch.tensor([4e-10, -1e-10])
    assert differ(torch.zeros(2), tiny)
    assert differ(tiny * 1.001, tiny)
    assert differ(tiny * torch.nan, tiny)
    assert not differ(tiny * (1 + 1e-6), tiny)


def test_what_float32_cannot_tell_apart_does_not_differ():
    subnormal = torch.tensor([1.4e-44, 0.0])
    assert not differ(torch.tensor([2.8e-44, 0.0]), subnormal)
    assert not differ(torch.zeros(2), torch.zeros(2))


@pytest.mark.parametrize(
    ("seconds", "stages", "expected"),
    [
        ([1, 1, 1, 1], 2, [0, 0, 1, 1]),
        ([3, 1, 1, 1], 2, [0, 1, 1, 1]),
        ([1, 1, 1, 3], 3, [0, 0, 1, 2]),
        ([1, 9, 1], 3, [0, 1, 2]),
        ([5], 1, [0]),
    ],
)
def test_stages_of_equal_times(seconds, stages, expected):
    def slowest(stage_of_layer):
        pairs = list(zip(seconds, stage_of_layer, strict=True))
        return max(sum(s for s, at in pairs if at == stage) for stage in range(stages))

    found = balanced_map([float(s) for s in seconds], stages)
    assert sorted(set(found)) == list(range(stages))
    assert found == sorted(found)
    assert slowest(found) == slowest(expected)


def span(gpu, kind, start, end, stage, micro_batch=0):
    return Span(gpu, kind, start, end, stage=stage, micro_batch=micro_batch)


STEP = [
    span(0, "forward", 0.0, 1.0, 0),
    span(1, "forward", 1.5, 2.5, 1),
    span(1, "input_gradient", 2.5, 3.5, 1),
    span(1, "weight_gradient", 3.5, 4.5, 1),
    span(0, "backward", 3.75, 5.75, 0),
]


def test_what_one_gpu_made_and_another_used_belongs_together():
    pairs = [(maker.kind, user.kind, user.gpu) for maker, user in dependencies(STEP)]
    assert pairs == [("forward", "forward", 1), ("input_gradient", "backward", 0)]


def test_waiting_counts_as_transfer_only_once_the_data_have_been_made():
    from mp.distributed.instruments import exposed_waits

    waits = {(w.gpu, w.start_s, w.end_s, w.peer) for w in exposed_waits(STEP)}
    assert waits == {(1, 1.0, 1.5, 0), (0, 3.5, 3.75, 1)}


def test_gradients_of_weights_are_part_of_backward_and_told_apart():
    found = break_down([Timeline(STEP, 6.0, [6.0, 6.0])], "host")
    first, second = found.per_gpu
    assert (first.backward_s, first.weight_gradient_s, first.idle_s) == ([2.0], None, [3.0])
    assert (second.backward_s, second.weight_gradient_s) == ([2.0], [1.0])


@pytest.fixture(scope="module")
def by_hand(tmp_path_factory):
    """A pipeline of two ranks through `python -m mp`: its result and its trace."""
    trace = tmp_path_factory.mktemp("trace") / "trace.json"
    command = [sys.executable, "-m", "mp", "--schedule", "zbv", "--gpus", "2", "--depth", "5"]
    command += ["--dim", "64", "--batch-size", "32", "--micro-batches", "4", "--device", "cpu"]
    command += ["--warmup-steps", "1", "--steps", "10", "--trace", str(trace)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, timeout=PATIENCE_S)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout), json.loads(trace.read_text())["traceEvents"]


def test_a_pipeline_by_hand_measures_all_ranks(by_hand):
    result, _ = by_hand
    assert (result["outcome"], result["emulated"]) == ("ok", True)
    assert [place["rank"] for place in result["environment"]["ranks"]] == [0, 1]
    assert result["placement"]["stage_of_layer"] == [0, 0, 1, 2, 3]
    assert result["placement"]["gpu_of_layer"] == [0, 0, 1, 1, 0]
    assert len(result["measurement"]["step_times_s"]) == 10


def test_each_border_between_gpus_is_crossed_once_for_each_micro_batch(by_hand):
    transfers = by_hand[0]["transfers"]
    assert (transfers["moves_forward"], transfers["moves_backward"]) == (2 * 4, 2 * 4)
    assert transfers["bytes_forward"] == 2 * 32 * 64 * 4
    assert transfers["moved_before_layers"] == [2, 4]


def test_the_parts_of_every_ranks_step_add_up(by_hand):
    breakdown = by_hand[0]["measurement"]["breakdown"]
    for gpu in breakdown["per_gpu"]:
        parts = ("forward_s", "backward_s", "optimizer_s", "transfer_in_s", "idle_s")
        for number, step_s in enumerate(breakdown["step_times_s"]):
            assert sum(gpu[part][number] for part in parts) == pytest.approx(step_s, rel=1e-6)


def test_gradients_are_scaled_once_on_each_gpu_between_the_last_of_them_and_the_optimizer(by_hand):
    breakdown = by_hand[0]["measurement"]["breakdown"]
    for gpu in range(2):
        spans = [s for s in breakdown["typical_step"] if s["gpu"] == gpu]
        kinds = [span["kind"] for span in spans]
        assert kinds.count("scaling") == 1
        assert kinds[-2:] == ["scaling", "optimizer"]
        assert spans[-2]["stage"] is None


def test_the_scaling_of_gradients_is_time_of_the_optimizer():
    step = [Span(0, "scaling", 0.0, 1.0), Span(0, "optimizer", 1.0, 3.0)]
    assert break_down([Timeline(step, 4.0, [4.0])], "host").per_gpu[0].optimizer_s == [3.0]


def test_one_trace_has_all_ranks_and_an_arrow_for_each_send(by_hand):
    result, events = by_hand
    steps = len(result["measurement"]["breakdown"]["step_times_s"])
    names = {e["args"]["name"] for e in events if e["name"] == "process_name"}
    assert len(names) == 2
    starts = [e for e in events if e["ph"] == "s"]
    ends = [e for e in events if e["ph"] == "f"]
    assert len(starts) == len(ends) == steps * (2 * 4 + 2 * 4)
    assert all(s["pid"] != e["pid"] for s, e in zip(starts, ends, strict=True))


@pytest.fixture(scope="module")
def split_layers(tmp_path_factory):
    """Tensor parallelism of two ranks: its result and its trace."""
    trace = tmp_path_factory.mktemp("trace") / "trace.json"
    command = [sys.executable, "-m", "mp", "--schedule", "tensor", "--gpus", "2", "--depth", "5"]
    command += [
        "--dim",
        "64",
        "--batch-size",
        "32",
        "--device",
        "cpu",
        "--warmup-steps",
        "1",
        "--steps",
        "10",
    ]
    done = subprocess.run(
        [*command, "--trace", str(trace)], cwd=ROOT, capture_output=True, timeout=PATIENCE_S
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout), json.loads(trace.read_text())["traceEvents"]


def test_each_rank_waits_as_often_as_all_do_something_together(split_layers):
    result, events = split_layers
    counted = sum(c["calls"] for c in result["transfers"]["collectives"])
    assert counted == 2 + 1 + 2  # all-reduces; all that the odd last layer gathers; backward
    spans = result["measurement"]["breakdown"]["typical_step"]
    for gpu in range(2):
        kinds = [span["kind"] for span in spans if span["gpu"] == gpu]
        assert kinds.count("collective") == counted
        assert kinds[-1] == "optimizer"
    steps = len(result["measurement"]["breakdown"]["step_times_s"])
    seen = [e for e in events if e["ph"] == "X" and e["name"] == "collective"]
    assert len(seen) == 2 * steps * counted


def test_the_parts_of_a_step_with_split_layers_add_up(split_layers):
    breakdown = split_layers[0]["measurement"]["breakdown"]
    for gpu in breakdown["per_gpu"]:
        parts = ("forward_s", "backward_s", "optimizer_s", "transfer_in_s", "idle_s")
        assert min(min(gpu[part]) for part in parts) >= 0
        for number, step_s in enumerate(breakdown["step_times_s"]):
            assert sum(gpu[part][number] for part in parts) == pytest.approx(step_s, rel=1e-6)
