"""Orders and programs as torch's own schedules have them, without making stages or ranks."""

from collections import Counter
from types import SimpleNamespace

from torch.distributed.pipelining import schedules
from torch.distributed.pipelining.schedules import _ComputationType

from predict.orders.action import Action
from predict.orders.program import Message, Operation, Post, Wait
from study.schedules import SCHEDULES

OF_RUNTIME = {
    "interleaved_1f1b": schedules.ScheduleInterleaved1F1B,
    "zero_bubble": schedules.ScheduleInterleavedZeroBubble,
    "zbv": schedules.ScheduleZBVZeroBubble,
}
OF_LOOPS = {"gpipe": schedules.ScheduleGPipe, "1f1b": schedules.Schedule1F1B}
KINDS = {
    _ComputationType.FORWARD: "forward",
    _ComputationType.FULL_BACKWARD: "backward",
    _ComputationType.BACKWARD_INPUT: "input_gradient",
    _ComputationType.BACKWARD_WEIGHT: "weight_gradient",
}


def raw_orders(schedule, gpus, m, chunks):
    """Torch's own actions of each GPU, gaps included."""
    sizes = SimpleNamespace(
        n_local_stages=chunks,
        num_stages=chunks * gpus,
        pp_group_size=gpus,
        _n_microbatches=m,
        microbatches_per_round=m // max(1, m // gpus),
    )
    made = OF_RUNTIME[schedule]._calculate_single_rank_operations
    return {gpu: made(sizes, gpu) for gpu in range(gpus)}


def orders_of_torch(schedule, gpus, m, chunks):
    """The same in our words."""
    return [
        [Action(KINDS[a.computation_type], a.stage_index, a.microbatch_index)
         for a in actions if a is not None]
        for actions in raw_orders(schedule, gpus, m, chunks).values()
    ]  # fmt: skip


def programs_of_torch(schedule, gpus, m, chunks, monkeypatch):
    """What torch's code asks for, taken from running it with stages that only write down."""
    places = SCHEDULES[schedule].gpu_of_stage(gpus, chunks)
    found = []
    lowered = {} if schedule in OF_LOOPS else _lowered(schedule, gpus, m, chunks, places)
    for gpu in range(gpus):
        record = Record(places)
        monkeypatch.setattr(schedules, "_batch_p2p", record.post)
        monkeypatch.setattr(schedules, "_wait_batch_p2p", record.wait)
        mine = [stage for stage, place in enumerate(places) if place == gpu]
        stages = [WritesDown(stage, record) for stage in mine]
        run = _loop if schedule in OF_LOOPS else _runtime
        run(schedule, stages, m, gpus, lowered.get(gpu))
        found.append(record.calls)
    return found


def _lowered(schedule, gpus, m, chunks, places):
    """torch's three steps, as `_prepare_schedule_with_comms` has them."""
    made = raw_orders(schedule, gpus, m, chunks)
    if schedule == "zero_bubble":
        made = OF_RUNTIME[schedule]._add_bubbles_to_actions(
            SimpleNamespace(pipeline_order=made, pp_group_size=gpus), chunks * gpus
        )
    filled = {
        gpu: schedules._add_reduce_grad(schedules._add_unshard_reshard(actions), m)
        for gpu, actions in made.items()
    }
    return schedules._add_send_recv(filled, places.__getitem__, len(places))


def _loop(schedule, stages, m, gpus, lowered):
    (stage,) = stages
    OF_LOOPS[schedule]._step_microbatches(_stands_in(m, _stage=stage, _num_stages=gpus))


def _runtime(schedule, stages, m, gpus, lowered):
    one = _stands_in(
        m,
        _stages=stages,
        rank=0,
        pipeline_order_with_comms={0: lowered},
        _initialize_stages=lambda *given: None,
        _assert_unsharded=lambda *given: None,
        fwd_recv_ops={},
        bwd_recv_ops={},
        unshard_ops={},
        unsharded_stages=set(),
        backward_counter=Counter(),
        _comp_type_to_function_map={},
    )
    OF_RUNTIME[schedule]._step_microbatches(one)


def _stands_in(m, **parts):
    nothing = [None] * m
    return SimpleNamespace(
        _n_microbatches=m,
        scale_grads=False,
        _check_inputs=lambda *given: (nothing, nothing),
        _initialize_stage=lambda *given: None,
        _maybe_compute_loss=lambda *given: None,
        _maybe_get_loss=lambda *given: None,
        _update_losses=lambda *given: None,
        **parts,
    )


class Record:
    """The calls of one GPU; empty posts and waits for nothing are left out."""

    def __init__(self, places):
        self.places, self.calls, self.posts = places, [], 0

    def post(self, operations, desc=None):
        if not operations:
            return []
        self.calls.append(Post(tuple(operations)))
        self.posts += 1
        return [self.posts - 1]

    def wait(self, work):
        self.calls += [Wait(post) for post in work]


class WritesDown:
    """A stage of torch that computes and sends nothing."""

    submod = None

    def __init__(self, stage, record):
        self.stage_index, self.record = stage, record
        self.is_first, self.is_last = stage == 0, stage == len(record.places) - 1

    def forward_one_chunk(self, i, *given, **options):
        self.record.calls.append(Action("forward", self.stage_index, i))

    def backward_one_chunk(self, i, full_backward=True, **options):
        kind = "backward" if full_backward else "input_gradient"
        self.record.calls.append(Action(kind, self.stage_index, i))

    def backward_weight_one_chunk(self, i, **options):
        self.record.calls.append(Action("weight_gradient", self.stage_index, i))

    def _ends(self, sends, is_gradient, maker, other, i):
        """One operation, where there is a stage at the other end."""
        places = self.record.places
        if not 0 <= other < len(places):
            return []
        return [Operation(sends, Message(is_gradient, maker, i), places[other])]

    def get_fwd_send_ops(self, i):
        return self._ends(True, False, self.stage_index, self.stage_index + 1, i)

    def get_bwd_send_ops(self, i):
        return self._ends(True, True, self.stage_index, self.stage_index - 1, i)

    def get_fwd_recv_ops(self, i):
        return self._ends(False, False, self.stage_index - 1, self.stage_index - 1, i)

    def get_bwd_recv_ops(self, i):
        return self._ends(False, True, self.stage_index + 1, self.stage_index + 1, i)

    def __getattr__(self, name):
        if name in ("set_local_fwd_input", "set_local_bwd_input", "get_local_bwd_output",
                    "perform_reduce_grad"):  # fmt: skip
            return lambda *given: None
        raise AttributeError(name)
