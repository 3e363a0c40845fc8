"""Steps that a calibration makes, against sums by hand of its round numbers."""

from dataclasses import replace

import msgspec
import pytest

from predict.costs.beside import message_factor, slowdowns
from predict.costs.calibrated import Calibrated
from predict.costs.host import HostTimes
from predict.costs.refusal import Unpredictable
from predict.steps.of_case import step_of
from predict.steps.step import launch_bound
from study.results.calibration.links import TransferTime
from study.results.calibration.timing import timed
from tests.predict.made_up_calibration import GPT, MS, TIMES, calibration, case, loaded, of_gpt

NOTHING_BESIDE = {"beside": ()}
MESSAGE = 0.06  # ms, of 1024 rows


def calibrated(pair: dict | None = None, **one) -> Calibrated:
    """Calibrations with some of their parts replaced."""
    return Calibrated(
        calibration(**one), calibration(2, **(NOTHING_BESIDE if pair is None else pair))
    )


def ms(made, times=None, nodes=1) -> float:
    return step_of(made, times or calibrated(), nodes).seconds / MS


def test_a_naive_step_is_the_sum_of_its_layers_its_loss_and_the_optimizer():
    forward, backward, loss = 8 * 8, 8 * (1 + 7 * 2), 1.6
    assert ms(naive(1)) == pytest.approx(forward + backward + loss + 0.8)


def naive(gpus):
    return case(gpus=gpus, schedule="naive", micro_batches=1)


def test_naive_gpus_take_turns_and_each_updates_its_own_layers():
    found = step_of(naive(2), calibrated())
    message = 0.01 + 8 * 0.05
    assert found.seconds / MS == pytest.approx(8 * 23 + 1.6 + 2 * message + 0.4)
    assert sum(1 - bubble for bubble in found.bubbles) == pytest.approx(1, abs=0.01)


def test_naive_gpus_compute_at_the_pace_of_a_gpu_that_waits_half_of_the_time():
    times = calibrated(loaded=loaded({0.25: 0.9, 0.75: 0.9, 1.0: 1.0}))
    slower, faster = ms(naive(2)), ms(naive(2), times)
    computed = 8 * 23 + 1.6
    assert slower - faster == pytest.approx(0.1 * computed, rel=0.01)
    assert ms(naive(1), times) == pytest.approx(ms(naive(1)), rel=0.01)


def test_times_after_a_pause_are_scaled_from_a_rested_gpu_and_never_get_faster_than_it():
    paces = {"loaded": loaded({0.25: 0.8, 0.75: 0.8, 1.0: 1.0})}
    rested = tuple(
        msgspec.structs.replace(t, pace="unthrottled") for t in calibration().calibration.layers
    )
    computed = 8 * 23 + 1.6
    base, under_load = ms(naive(1)), ms(naive(1), calibrated(layers=rested, **paces))
    assert under_load - base == pytest.approx(0.25 * computed, rel=0.01)
    turns = ms(naive(2), calibrated(layers=rested, **paces))
    assert turns == pytest.approx(ms(naive(2)), rel=0.001)


def test_what_the_power_limit_does_not_slow_keeps_its_seconds_at_any_load():
    paces = {"loaded": loaded({0.25: 0.8, 0.75: 0.8, 1.0: 1.0})}
    under_load = calibration().calibration.layers
    rested = tuple(msgspec.structs.replace(t, pace="unthrottled") for t in under_load)
    same = calibrated(layers=(*under_load, *rested), **paces)
    assert ms(naive(2), same) == pytest.approx(ms(naive(2)))
    half = tuple(
        msgspec.structs.replace(t, **{key: 0.5 * getattr(t, key) for key in TIMES}) for t in rested
    )
    faster = calibrated(layers=(*under_load, *half), **paces)
    computed = 8 * 23 + 1.6
    assert ms(naive(2)) - ms(naive(2), faster) == pytest.approx(0.5 * computed)
    assert ms(naive(1), faster) == pytest.approx(ms(naive(1)), rel=0.01)


def test_gpipe_fills_and_drains_with_first_and_later_micro_batches():
    forwards = 4 + 8 * (MESSAGE + 4.1)
    backwards = 8.1 + 7 * 8.5 + MESSAGE + 7.4
    ending = 4 * (0.05 + 0.1)  # scaling and the optimizer of four layers
    found = step_of(case(), calibrated())
    assert found.seconds / MS == pytest.approx(forwards + backwards + ending)
    busy = (8 * 4.1 + 8.1 + 7 * 8.5 + ending) * MS
    assert found.bubbles[1] == pytest.approx(1 - busy / found.seconds)


def test_1f1b_takes_as_long_as_gpipe_but_for_messages():
    assert ms(case(schedule="1f1b")) == pytest.approx(ms(case()), rel=0.01)


def test_zero_bubble_is_shorter_than_1f1b_and_zbv_shorter_still():
    steps = [ms(case(schedule=name)) for name in ("1f1b", "zero_bubble", "zbv")]
    assert steps == sorted(steps, reverse=True)


def test_a_pending_receive_slows_the_schedules_of_the_runtime_alone():
    slowed = {"pair": {}}
    grown = {
        name: ms(case(schedule=name), calibrated(**slowed)) / ms(case(schedule=name))
        for name in ("gpipe", "interleaved_1f1b")
    }
    assert grown["gpipe"] < 1.005
    assert grown["interleaved_1f1b"] > 1.01


def test_slowing_is_that_of_the_action_with_the_nearest_rows():
    def timed_with(rows, factors):
        for each in calibration(2).calibration.beside:
            for action, factor in factors.items():
                seconds = 1.0 if each.beside == "nothing" else factor
                made = dict.fromkeys(TIMES, seconds)
                yield msgspec.structs.replace(each, action=action, rows=rows, **made)

    near = timed_with(1024, {"forward": 1.4, "backward_later": 1.5})
    far = timed_with(512, {"forward": 1.8, "backward_later": 1.6})
    made = calibration(2, beside=(*near, *far)).calibration
    found = slowdowns(made, ("pending receive",), 2048)
    assert found == {"forward": 1.4} | dict.fromkeys(
        ("backward", "input_gradient", "weight_gradient"), 1.5
    )
    assert slowdowns(made, ("pending receive",), 8)["forward"] == 1.8
    assert slowdowns(None, ("pending receive",), 8) == {}


def transfers(rows, alone_ms, beside_ms, layers_ms):
    """A transfer with layers beside it, and the same alone."""
    fields = {"direction": "receive", "bytes": 2**30, "rows": rows}
    return tuple(
        timed(TransferTime, [seconds * MS] * 5, layers_s=its * MS, **fields)
        for seconds, its in ((beside_ms, layers_ms), (alone_ms, 0.0))
    )


def test_a_message_takes_longer_by_what_a_transfer_lost_while_layers_were_computed():
    near = transfers(1024, 10.0, 12.0, 8.0)  # a quarter of the 8 ms was lost
    made = calibration(2, transfers=near + transfers(512, 10.0, 16.0, 8.0), **NOTHING_BESIDE)
    assert message_factor(made.calibration, 2048) == pytest.approx(1 / 0.75)
    assert message_factor(made.calibration, 8) == 3.0  # the rest is a disturbance
    once = case(schedule="gpipe", micro_batches=1)
    longer = ms(once, calibrated(pair=NOTHING_BESIDE | {"transfers": near})) - ms(once)
    there_and_back = 2 * 8 * 0.05  # of 8192 rows, without the latency
    assert longer == pytest.approx(there_and_back * (1 / 0.75 - 1))


def test_transfers_that_were_no_slower_beside_layers_change_nothing():
    made = calibration(2, transfers=transfers(1024, 10.0, 9.9, 8.0))
    assert message_factor(made.calibration, 1024) == 1.0
    assert message_factor(calibration(2).calibration, 1024) == 1.0
    assert message_factor(None, 1024) == 1.0


def test_queues_of_a_rank_make_a_relay_slower_than_those_of_a_pair():
    each = {
        torch: ms(case(gpus=4, schedule="interleaved_1f1b"), calibrated(torch=torch))
        for torch in ("2.11.0", "2.13.0")
    }
    assert each["2.11.0"] > each["2.13.0"]


def test_tensor_parallelism_waits_for_a_sum_of_every_second_layer_and_back():
    message = 8 * 0.1  # ms, of 8192 rows: as far as sizes were timed, in proportion
    computed = 8 * 23 / 2 + 1.6
    sums = 4 + 3  # forward behind odd layers, backward before even ones but the first
    expected = computed + sums * message + 0.4
    assert ms(case(schedule="tensor", micro_batches=1)) == pytest.approx(expected)


def test_sums_of_ddp_hide_behind_backward_but_for_the_last():
    made = case(schedule="ddp", micro_batches=1)
    backward_and_forward = 4 * 23 + 0.8
    copies = 8 * 0.05  # of each layer's gradients into their bucket
    # Buckets: the last layer, then all that is left together.
    expected = backward_and_forward + copies + 7 * 0.1 + 0.8
    assert ms(made) == pytest.approx(expected)


def test_fsdp_puts_the_next_layer_together_while_it_computes():
    made = case(schedule="fsdp", micro_batches=1)
    computed, copies = 4 * 23 + 0.8, 8 * 3 * 0.05  # of each layer, twice, and of its gradients
    expected = computed + copies + 0.1 + 0.1 + 0.1 + 0.4  # first and last collectives are seen
    step = step_of(made, calibrated())
    assert step.seconds / MS == pytest.approx(expected, rel=0.002)
    # A GPU that copies computes nothing.
    assert step.bubbles[0] * step.seconds / MS == pytest.approx(copies + 0.3, rel=0.05)


def test_a_forward_that_is_launched_slowly_makes_fsdp_longer_though_the_step_is_not_bound_by_it():
    made = case(schedule="fsdp", micro_batches=1, batch_size=16384)
    runs = calibration().calibration.host

    def with_host(step_ms):
        slow = tuple(
            msgspec.structs.replace(run, step_times_s=(run.layers_per_gpu * step_ms / 8 * MS,))
            for run in runs
        )
        return step_of(made, calibrated(pair=NOTHING_BESIDE | {"host": slow}, host=slow))

    quick, slow = with_host(1), with_host(8 * 18)
    assert not slow.is_launch_bound
    # Half of the launching is forward's: 9 ms for a layer that computes for 8.
    assert (slow.seconds - quick.seconds) / MS == pytest.approx(8 * (9 - 8), rel=0.1)


def test_replicas_add_a_sum_of_their_gradients():
    alone = case(batch_size=4096, micro_batches=4)
    two = case(gpus=4, data_parallel=2, micro_batches=4)
    assert ms(two) == pytest.approx(ms(alone) + 4 * 0.1)


def test_replicas_on_several_nodes_sum_their_gradients_between_nodes():
    two = case(gpus=4, data_parallel=2, micro_batches=4)
    far = calibration(2, 2)
    slow = tuple(
        msgspec.structs.replace(t, **{key: 10 * getattr(t, key) for key in TIMES})
        for t in far.calibration.collectives
    )
    near, far = calibrated(), calibration(2, 2, collectives=slow, **NOTHING_BESIDE)
    times = replace(near, over_nodes=far)
    assert ms(two, times, nodes=2) == pytest.approx(ms(two))  # each pair of replicas on one
    assert ms(two, times, nodes=4) == pytest.approx(ms(two) + 4 * (1.0 - 0.1))


def test_a_step_whose_host_is_slower_than_its_gpu_takes_as_long_as_the_host():
    step = step_of(naive(1), calibrated())
    assert launch_bound(step) == step
    slow = launch_bound(replace(step, host_s=2 * step.seconds))
    assert slow.seconds == pytest.approx(2 * step.seconds)
    assert slow.bubbles[0] == pytest.approx(0.5)
    assert slow.host_share == 1


def test_host_times_come_from_the_run_with_as_many_gpus():
    found = step_of(case(), calibrated())
    # 16 actions of 4 layers, 0.02 ms for every two; 16 messages share 0.4 ms for every two.
    assert found.host_share is not None
    assert 0.005 < found.host_share < 0.05


def test_a_deeper_stack_than_was_calibrated_has_more_of_the_same_layers():
    made = case(gpus=1, depth=16, schedule="naive", micro_batches=1)
    assert ms(made) == pytest.approx(8 * (16 + 1 + 15 * 2) + 1.6 + 1.6)


def test_a_gpt_has_other_layers_at_its_ends_and_launches_them_as_they_were_launched():
    sizes, found = GPT, calibrated(**of_gpt())
    for blocks in (6, 4, 2):
        made = case(**sizes | {"depth": blocks, "gpus": 1, "batch_size": 1, **NAIVE})
        layers = 0.5 * 3 + blocks * 3 + 3 * 3  # embedding, blocks and head; three actions each
        optimizer = 0.1 * (blocks + 2)
        assert ms(made, found) == pytest.approx(layers * 0.5 + 0.1 + optimizer)
    split = case(**sizes | {"gpus": 2, "batch_size": 8, "micro_batches": 8})
    share = step_of(split, found).host_share
    assert share is not None
    assert share > 0.5  # as long as the GPU computes, of which one waits for the other
    apart = case(**sizes | {"gpus": 2, "batch_size": 2, "micro_batches": 1, "schedule": "ddp"})
    assert step_of(apart, found).host_share > 0.5


NAIVE = {"schedule": "naive", "micro_batches": 1}


def test_a_step_of_very_many_actions_is_simulated_all_at_once():
    small = step_of(case(batch_size=512 * 8, micro_batches=8), calibrated())
    large = step_of(case(batch_size=512 * 8192, micro_batches=8192), calibrated())
    assert large.notes
    assert large.seconds / small.seconds == pytest.approx(8192 / 9, rel=0.02)
    assert large.host_s is None


@pytest.mark.parametrize(
    ("changes", "part", "said"),
    [
        ({"batch_size": 777 * 8}, {}, "777 rows"),
        ({"gradients": "fused"}, {}, "gradients: fused"),
        ({"gpus": 4, "schedule": "tensor", "micro_batches": 1}, {}, "split over 4 GPUs"),
        ({}, {"updates": ()}, "scaling of gradients"),
        ({}, {"pair": {"messages": ()}}, "no message between GPUs"),
        ({"schedule": "tensor", "micro_batches": 1}, {"pair": {"collectives": ()}}, "all-reduce"),
    ],
)
def test_what_was_not_calibrated_is_refused_and_named(changes, part, said):
    with pytest.raises(Unpredictable, match=said):
        step_of(case(**changes), calibrated(**part))


@pytest.mark.parametrize("schedule", ["1f1b", "zero_bubble", "ddp", "fsdp", "tensor", "naive"])
def test_a_cuda_graph_takes_what_the_gpus_need_however_slow_the_host_is(schedule):
    runs = tuple(
        msgspec.structs.replace(run, step_times_s=(run.layers_per_gpu * 99 * MS,))
        for run in calibration(2).calibration.host
    )
    slow = tuple(
        msgspec.structs.replace(run, actions=tuple(map(slower, run.actions))) for run in runs
    )
    times = calibrated(pair=NOTHING_BESIDE | {"host": slow}, host=slow)
    keys = {"gpus": 1} if schedule == "naive" else {}
    many = {} if schedule in ("1f1b", "zero_bubble") else {"micro_batches": 1}
    eager = step_of(case(schedule=schedule, **keys, **many), times)
    graph = step_of(case(schedule=schedule, execution="cuda_graph", **keys, **many), times)
    assert eager.is_launch_bound
    assert not graph.is_launch_bound
    assert graph.host_share == 0
    assert graph.seconds == pytest.approx(eager.gpus_s, rel=0.01)


def slower(action):
    return msgspec.structs.replace(action, **dict.fromkeys(TIMES, 99 * MS))


def test_the_first_stage_of_zero_bubble_is_launched_as_a_whole_backward():
    runs = [r for r in calibration(2).calibration.host if r.schedule == "zero_bubble"]
    factor = {"backward": 3.0, "input_gradient": 1.0, "weight_gradient": 2.0, "before": 7.0}

    def made(run):
        kept = [a for a in run.actions if a.kind in factor]
        once = msgspec.structs.replace(kept[0], kind="before", per_step=1)
        return msgspec.structs.replace(
            run,
            actions=tuple(
                msgspec.structs.replace(a, **dict.fromkeys(TIMES, factor[a.kind] * MS))
                for a in (*kept, once)
            ),
        )

    times = HostTimes(tuple(map(made, runs)))
    host = times.of_pipeline([4, 4], [4, 4], None, puts_off=True)
    assert host.action_s["input_gradient"] == [0.0, pytest.approx(MS)]
    assert host.action_s["weight_gradient"] == [pytest.approx(3 * MS), pytest.approx(2 * MS)]
    assert host.before_s == pytest.approx(7 * MS)
    together = times.of_pipeline([4, 4], [4, 4], None)
    assert together.action_s["input_gradient"] == pytest.approx([MS, MS])


def test_the_first_forward_of_a_step_is_launched_more_slowly_where_that_was_timed():
    runs = [r for r in calibration(2).calibration.host if r.schedule == "1f1b"]

    def with_first(run):
        (forward,) = (a for a in run.actions if a.kind == "forward")
        slow = dict.fromkeys(TIMES, forward.seconds + 0.3 * MS)
        first = msgspec.structs.replace(forward, kind="first", per_step=1, **slow)
        return msgspec.structs.replace(run, actions=(*run.actions, first))

    assert HostTimes(tuple(runs)).of_pipeline([4, 4], [4, 4], None).first_s == 0
    timed = HostTimes(tuple(map(with_first, runs))).of_pipeline([4, 4], [4, 4], None)
    assert timed.first_s == pytest.approx(0.3 * MS)


def test_host_time_of_messages_is_told_from_what_comes_once_in_a_step():
    (run, *_) = (r for r in calibration(2).calibration.host if r.schedule == "1f1b")

    def with_messages(count, between):
        actions = tuple(
            msgspec.structs.replace(a, seconds=between * MS) if a.kind == "between" else a
            for a in run.actions
        )
        return msgspec.structs.replace(run, messages=count, actions=actions)

    runs = (with_messages(8, 1.0), with_messages(16, 1.4))
    host = HostTimes(runs).of_pipeline([4, 4], [4, 4], None)
    assert host.operation_s == pytest.approx(0.05 * MS)
    once = 0.6 * MS
    assert host.before_s == pytest.approx(once / 2)
    ending = (0.1 + 0.1) / 2 * 4 * MS  # of two layers, for four
    assert host.after_s == pytest.approx(ending + once / 2)
    assert host.action_s["forward"][0] == pytest.approx(0.04 * MS)
