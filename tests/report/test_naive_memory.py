"""Memory at the peak, from the placement alone, held against what torch allocates and H100s had."""

import pytest
from torch.profiler import ProfilerActivity, profile

from mp.hardware.devices import choose_devices
from mp.single.step import build_step
from predict.memory.linear.naive import predict
from report.analysis.predicted_memory import predicted_peak
from report.data.measured import measured
from study.case import Case
from study.paths import ROOT
from study.results.file import read_result

LAYER = 4 * (16**2 + 16)


def peaks(depth=4, gpus=2, batch=2, **keys):
    case = Case(depth=depth, gpus=gpus, dim=16, batch_size=batch, **keys)
    places = [i * gpus // depth for i in range(depth)]
    found = predict(case, places)
    return found.peaks, found.shared_peak


def test_a_small_batch_peaks_with_all_gradients():
    (first, last), _ = peaks()
    assert first.parameters == first.gradients == last.parameters == 2 * LAYER
    assert last.activations <= 5 * 2 * 16 * 4


def test_a_large_batch_peaks_with_all_activations():
    (first, last), _ = peaks(batch=1000)
    rows = 1000 * 16 * 4
    # The target, the inputs of two layers, the output, and three for the loss: the one of the step
    # before, the new one, and what mse_loss needs as it runs.
    assert last.activations == 7 * rows
    assert last.gradients == 0
    # The batch is the first layer's input; the second's comes on top.
    assert first.activations == 4 * rows


def test_adam_holds_two_states_and_the_denominators():
    (only,), shared = peaks(gpus=1, optimizer="adam")
    assert only.optimizer_state == 2 * only.parameters
    assert only.temporaries == only.parameters
    assert only.total == shared


def test_gpus_that_share_a_device_peak_together_no_higher_than_one_by_one():
    each, shared = peaks(gpus=4, batch=100)
    assert max(held.total for held in each) < shared <= sum(held.total for held in each)


def test_what_a_bias_gradient_takes_to_be_summed_counts_where_it_raises_the_peak():
    case = Case(depth=4, gpus=1, dim=16, batch_size=2)
    plain, small, large = (predict(case, [0] * 4, size).peaks[0] for size in (0, 8, 10**6))
    assert small.total == plain.total + 8
    assert large.total == plain.total + 10**6
    assert large.temporaries == 10**6
    shared = [predict(case, [0] * 4, size).shared_peak for size in (0, 10**6)]
    assert shared[1] == shared[0] + 10**6


def test_bfloat16_takes_half():
    (full,), _ = peaks(gpus=1)
    (half,), _ = peaks(gpus=1, dtype="bfloat16")
    assert full.total == 2 * half.total


LOSSES = 16  # bytes: the losses of two steps and the ones that backward starts from


@pytest.mark.parametrize("recompute", ["none", "layers"])
@pytest.mark.parametrize(
    ("depth", "gpus", "dim", "batch_size"),
    [
        (1, 1, 32, 300), (3, 1, 64, 4000), (7, 1, 37, 400),  # batch > dim: the loss is the peak
        (5, 5, 31, 1000), (20, 5, 16, 700),
        (6, 1, 64, 8), (20, 5, 16, 15),
    ],
)  # fmt: skip
def test_the_peak_is_what_torch_allocates_and_frees_to_the_byte(
    depth, gpus, dim, batch_size, recompute
):
    case = Case(depth=depth, gpus=gpus, dim=dim, batch_size=batch_size, recompute=recompute)
    step = build_step(case, choose_devices(gpus, "cpu"))
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiled:
        step()
        step()  # while the loss of the step before is there
    events = profiled.profiler.kineto_results.events()
    changes = [e for e in events if e.name() == "[memory]"]
    already = [*step.model.parameters(), step.x, step.target]
    now = most = sum(tensor.untyped_storage().nbytes() for tensor in already)
    for change in sorted(changes, key=lambda change: change.start_ns()):
        now += change.nbytes()
        most = max(most, now)
    expected = predict(case, step.model.gpu_of_layer).shared_peak
    assert expected <= most <= expected + LOSSES


def sample_of_naive():
    results = map(read_result, sorted(ROOT.glob("docs/example/results/*/d*.json")))
    return [result for result in results if result.case.schedule == "naive"]


def test_every_naive_peak_of_the_sample_is_predicted_within_a_tenth_of_a_percent():
    compared = 0
    for result in sample_of_naive():
        for gpu in result.measurement.per_gpu:
            predicted = predicted_peak(measured(result), gpu.index)
            if predicted is not None:
                assert gpu.peak_allocated_bytes == pytest.approx(predicted, rel=1e-3)
                compared += result.case.batch_size > result.case.dim
    assert compared >= 3
