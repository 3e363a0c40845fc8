"""The orders of actions are torch's, on every small case."""

from types import SimpleNamespace

import pytest
from torch.distributed.pipelining import schedules
from torch.distributed.pipelining.schedules import _ComputationType

from predict.orders.action import Action
from predict.orders.order import orders
from study.schedules import SCHEDULES

OF_TORCH = {
    "interleaved_1f1b": schedules.ScheduleInterleaved1F1B,
    "zero_bubble": schedules.ScheduleInterleavedZeroBubble,
    "zbv": schedules.ScheduleZBVZeroBubble,
}
KINDS = {
    _ComputationType.FORWARD: "forward",
    _ComputationType.FULL_BACKWARD: "backward",
    _ComputationType.BACKWARD_INPUT: "input_gradient",
    _ComputationType.BACKWARD_WEIGHT: "weight_gradient",
}
CHUNKS = {"interleaved_1f1b": (1, 2, 3), "zero_bubble": (1, 2, 3), "zbv": (2,)}


def of_torch(schedule, gpus, micro_batches, chunks):
    """The actions of each GPU as torch's class computes them, without making stages."""
    sizes = SimpleNamespace(
        n_local_stages=chunks,
        num_stages=chunks * gpus,
        pp_group_size=gpus,
        _n_microbatches=micro_batches,
        microbatches_per_round=micro_batches // max(1, micro_batches // gpus),
    )
    made = OF_TORCH[schedule]._calculate_single_rank_operations
    return [
        [Action(KINDS[a.computation_type], a.stage_index, a.microbatch_index)
         for a in made(sizes, gpu) if a is not None]
        for gpu in range(gpus)
    ]  # fmt: skip


@pytest.mark.parametrize("schedule", OF_TORCH)
def test_every_gpu_does_what_torch_would_have_it_do_in_the_same_order(schedule):
    compared = 0
    for gpus in range(1, 9):
        for m in range(1, 25):
            if schedule != "zbv" and m % max(1, m // gpus):
                continue
            for chunks in CHUNKS[schedule]:
                found = orders(schedule, gpus, m, chunks)
                assert found == of_torch(schedule, gpus, m, chunks), (gpus, m, chunks)
                compared += 1
    assert compared >= 190


@pytest.mark.parametrize("schedule", ["gpipe", "1f1b"])
def test_schedules_that_run_in_a_loop_of_torch_have_the_order_of_that_loop(schedule):
    """The loop itself, run with a stage that writes down what it is asked to compute."""
    made = {"gpipe": schedules.ScheduleGPipe, "1f1b": schedules.Schedule1F1B}[schedule]
    for gpus in range(1, 7):
        for m in range(gpus, 14):
            found = orders(schedule, gpus, m)
            for gpu in range(gpus):
                stage = WritesDown(gpu)
                loop = SimpleNamespace(
                    _stage=stage,
                    _n_microbatches=m,
                    _num_stages=gpus,
                    scale_grads=False,
                    _check_inputs=lambda *given: ([None] * m, [None] * m),  # noqa: B023
                    _initialize_stage=lambda *given: None,
                    _maybe_compute_loss=lambda *given: None,
                    _maybe_get_loss=lambda *given: None,
                    _update_losses=lambda *given: None,
                )
                made._step_microbatches(loop)
                assert found[gpu] == stage.done, (gpus, m, gpu)


class WritesDown:
    """A stage of torch that computes and sends nothing."""

    def __init__(self, stage):
        self.stage_index, self.done = stage, []

    def forward_one_chunk(self, i, *given, **options):
        self.done.append(Action("forward", self.stage_index, i))

    def backward_one_chunk(self, i, **options):
        self.done.append(Action("backward", self.stage_index, i))

    def perform_reduce_grad(self, factor):
        pass

    def _nothing(self, i):
        return []

    get_fwd_recv_ops = get_fwd_send_ops = get_bwd_recv_ops = get_bwd_send_ops = _nothing


def test_every_pipeline_has_an_order_in_which_each_stage_meets_each_micro_batch_once():
    for schedule, entry in SCHEDULES.items():
        if not entry.is_pipeline:
            continue
        p, m, v = 4, 8, 2 if entry.is_chunked else 1
        found = orders(schedule, p, m, v)
        assert len({a for gpu in found for a in gpu}) == sum(map(len, found))
        for gpu, actions in enumerate(found):
            mine = [s for s, place in enumerate(entry.gpu_of_stage(p, v)) if place == gpu]
            for stage in mine:
                forwards = [a for a in actions if a.kind == "forward" and a.stage == stage]
                gradients = [a for a in actions if a.makes_gradient and a.stage == stage]
                assert len(forwards) == len(gradients) == m
            assert {a.stage for a in actions} == {*mine}


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (("tensor", 2, 4), "tensor has no order"),
        (("zbv", 2, 4, 3), "has 2 stages a GPU, not 3"),
        (("gpipe", 2, 4, 2), "has 1 stages a GPU, not 2"),
        (("zero_bubble", 4, 9), "9 micro-batches on 4 GPUs"),
        (("gpipe", 0, 4), "are positive"),
    ],
)
def test_what_has_no_order_is_refused(asked, said):
    with pytest.raises(ValueError, match=said):
        orders(*asked)
