"""CUDA graphs of a process for each GPU: what needs no GPU. test_cuda_graphs.py has the rest."""

import re
from functools import cache

import pytest
import torch

from mp.correctness.possible import check_possible
from mp.distributed.graph.evidence import Evidence, find_difference
from mp.hardware.devices import Devices
from mp.timing.capture import NotCapturable, first_cause, reason_of
from study.case import Case
from study.errors import CaseError, ConfigError
from study.schedules import PIPELINES
from study.validation import make_case
from tests.mp.said import lines_of

KEYS = {"depth": 8, "gpus": 2, "execution": "cuda_graph"}
FACTORY = {"factory": "models/moe.py:build"}
LATE = pytest.mark.long


@cache
def checked():
    """The words that both ranks end a check with, by schedule and stand-in of a graph."""
    return {tuple(key): words for *key, words in lines_of("forked_graph_stand_ins")}


@LATE
@pytest.mark.parametrize("schedule", ["1f1b", "zbv", "ddp", "fsdp", "tensor"])
def test_a_graph_that_trains_as_eager_steps_do_passes_the_check(schedule):
    assert checked()[schedule, "StandIn"] == ["equal", "equal"]


@LATE
@pytest.mark.parametrize("schedule", ["1f1b", "ddp"])
@pytest.mark.parametrize(
    ("stand_in", "words"),
    [
        ("Forgets", "step"),
        ("Scales", "the graph's gradient of layer 0's weight has the norm"),
        ("Stays", "the graph's loss is 0.0, that of an eager step"),
        ("refuses", "the step of rank 1 cannot be captured: RuntimeError: it asked (mine.py"),
    ],
)
def test_a_graph_that_trains_otherwise_ends_the_case_on_every_rank(schedule, stand_in, words):
    first, second = checked()[schedule, stand_in]
    assert first == second
    assert words in first
    assert first.startswith("execution: cuda_graph: ")
    assert first.endswith("; use execution: eager")


@LATE
def test_a_graph_is_timed_and_then_let_go_of_before_its_eager_step_is_instrumented():
    found = checked()["1f1b", "measured"]
    assert found == {"timed": 5, "has breakdown": True, "is let go of": True}


@LATE
@pytest.mark.parametrize("rank", [0, 1])
def test_a_graph_without_room_on_one_rank_ends_the_case_as_out_of_memory_of_that_rank(rank):
    outcome, kind, message, seconds = checked()["full", rank]
    assert (outcome, kind) == ("oom_gpu", "OutOfMemoryError")
    assert re.fullmatch(rf"rank {rank} on .*: CUDA out of memory\. Tried to allocate .*", message)
    assert seconds < 30


@pytest.mark.parametrize("schedule", [*PIPELINES, "tensor", "ddp", "fsdp"])
def test_a_graph_of_several_processes_is_a_case(schedule):
    micro_batches = {"micro_batches": 4} if schedule in PIPELINES else {}
    case = make_case(KEYS | micro_batches | {"schedule": schedule}, "grid")
    assert (
        case.case_id
        != make_case(
            {**KEYS, **micro_batches, "schedule": schedule, "execution": "eager"}, "grid"
        ).case_id
    )


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"schedule": "naive"}, "gpus: 2 with schedule: naive, of which"),
        (FACTORY | {"schedule": "ddp"}, "schedule: ddp and kind: factory, whose unused"),
        (
            FACTORY | {"schedule": "gpipe", "recompute": "layers"},
            "recompute: layers and kind: factory, whose layers may draw",
        ),
    ],
)
def test_what_no_graph_can_hold_is_refused_with_the_reason(keys, words):
    with pytest.raises(ConfigError, match="execution: cuda_graph with") as refused:
        make_case(KEYS | keys, "grid")
    assert words in str(refused.value)
    assert str(refused.value).endswith("; use execution: eager")


def test_a_graph_of_ranks_that_compute_on_cpus_is_refused():
    cpu = [torch.device("cpu")]
    with pytest.raises(CaseError, match=r"needs a real CUDA GPU for each process.*Gloo"):
        check_possible(
            Case(depth=8, gpus=2, schedule="ddp", execution="cuda_graph"), Devices(cpu, cpu)
        )


def test_the_reason_is_the_first_error_with_the_line_of_the_users_file(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text("def ask():\n    raise RuntimeError('CUDA error: not permitted.\\nmore')\n")
    space = {}
    exec(compile(file.read_text(), file, "exec"), space)
    try:
        try:
            space["ask"]()
        finally:
            raise ValueError("the capture was broken")
    except ValueError as error:
        cause = first_cause(error)
    assert reason_of(cause) == "RuntimeError: CUDA error: not permitted (mine.py, line 2)"
    assert "cannot be captured: RuntimeError" in str(NotCapturable(reason_of(cause)))


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (Evidence(1.0, {(3, "weight"): 2.0}), None),
        (Evidence(1.001, {(3, "weight"): 2.0}), "the graph's loss is 1.001"),
        (Evidence(1.0, {(3, "weight"): 2.01}), "layer 3's weight has the norm 2.01"),
        (Evidence(1.0, {(3, "weight"): None}), "the graph has no gradient of layer 3's weight"),
        (Evidence(1.0, {(3, "weight"): float("nan")}), "has the norm nan"),
    ],
)
def test_loss_and_gradients_of_a_graph_are_compared_with_those_of_an_eager_step(found, words):
    problem = find_difference(Evidence(1.0, {(3, "weight"): 2.0}), found, "float32")
    assert problem is None if words is None else words in problem
