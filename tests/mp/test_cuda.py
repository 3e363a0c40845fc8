"""What only a GPU can show. Skipped without one; run by hand on a GPU machine."""

from statistics import median

import pytest
import torch

from mp.correctness.possible import check_possible
from mp.engine import Communicator
from mp.hardware.devices import Devices, choose_devices
from mp.measure import record_timelines
from mp.single.cuda_graph import GraphedStep
from mp.single.engine import SingleEngine
from mp.single.step import build_step
from mp.single.transfers import observe_transfers
from mp.timing.timeline import break_down
from report.analysis.predicted_memory import predicted_of, predicted_shared_peak_of
from report.data.measured import measured as in_report
from study.case import Case
from study.errors import CaseError
from tests.mp.test_outcome import run

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
two_gpus = pytest.mark.skipif(torch.cuda.device_count() < 2, reason="needs two CUDA GPUs")
four_gpus = pytest.mark.skipif(torch.cuda.device_count() < 4, reason="needs four CUDA GPUs")


def test_one_gpu_is_real_and_more_are_emulated_on_it():
    there = torch.cuda.device_count()
    assert not choose_devices(there, "auto").emulated
    assert choose_devices(there + 1, "auto").emulated


# torch says so where the backward pass of a model on GPU and CPU is the first to use the GPU.
@pytest.mark.filterwarnings("ignore:Attempting to run cuBLAS:UserWarning")
def test_the_counter_sees_copies_between_two_real_devices():
    case = Case(depth=4, gpus=2, dim=16, batch_size=4)
    real = [torch.device("cuda", 0), torch.device("cpu")]
    devices = Devices(real, real)
    seen = observe_transfers(build_step(case, devices), devices)
    assert (seen.moves_forward, seen.moves_backward) == (1, 1)
    assert (seen.bytes_forward, seen.bytes_backward) == (4 * 16 * 4, 4 * 16 * 4)
    assert seen.moved_before_layers == [2]


@pytest.mark.parametrize("gpus", [2, 5])
def test_the_counter_sees_copies_between_logical_gpus(gpus):
    devices = choose_devices(torch.cuda.device_count() + gpus, "auto")
    case = Case(depth=20, gpus=len(devices.gpus), dim=16, batch_size=4)
    seen = observe_transfers(build_step(case, devices), devices)
    assert seen.moves_forward == seen.moves_backward == case.gpus - 1


def test_a_model_too_large_for_the_gpu_is_out_of_gpu_memory():
    case = Case(depth=8, gpus=1, dim=8192, batch_size=8)
    torch.cuda.set_per_process_memory_fraction(0.01)
    try:
        result = run(case, policy="cuda", requested=1, visible=torch.cuda.device_count())
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert result.outcome == "oom_gpu"
    assert result.measurement is None
    assert result.placement.layers_per_gpu == [8]


def measured(gpus, policy="cuda", **keys):
    """The measurement of a case, which must succeed."""
    limits = {"warmup_steps": 2, "steps": 5} | keys
    case = Case(depth=10, gpus=gpus, **limits)
    result = run(case, policy=policy, requested=gpus, visible=torch.cuda.device_count())
    assert result.outcome == "ok", result.error
    return result


COUNTS = [1, pytest.param(2, marks=two_gpus)]


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("batch_size", [64, 4096])
@pytest.mark.parametrize("gpus", COUNTS)
def test_peak_memory_is_predicted_within_half_a_percent_for_sgd_else_five(
    gpus, batch_size, dtype, optimizer
):
    keys = {"dtype": dtype, "optimizer": optimizer, "batch_size": batch_size}
    result = measured(gpus, dim=4096, **keys)
    peaks = predicted_of(in_report(result))
    for gpu, predicted in zip(result.measurement.per_gpu, peaks, strict=True):
        expected = predicted.total + gpu.workspace_bytes
        assert gpu.peak_allocated_bytes == pytest.approx(
            expected, rel=0.005 if optimizer == "sgd" else 0.05
        )
        assert gpu.peak_reserved_bytes >= gpu.peak_allocated_bytes


@pytest.mark.parametrize("batch_size", [64, 8192])
def test_the_peak_of_shared_memory_is_predicted_within_five_percent(batch_size):
    gpus = torch.cuda.device_count() + 2
    result = measured(gpus, policy="auto", dim=4096, batch_size=batch_size)
    assert result.emulated
    expected = predicted_shared_peak_of(result)
    expected += result.measurement.per_gpu[0].workspace_bytes
    assert result.measurement.shared_peak_allocated_bytes == pytest.approx(expected, rel=0.05)


@pytest.mark.parametrize("gpus", [*COUNTS, 5])
def test_the_parts_of_a_step_add_up_on_the_clocks_of_the_gpus(gpus):
    devices = choose_devices(gpus, "auto")
    case = Case(depth=20, gpus=gpus, dim=4096, batch_size=512)
    engine = SingleEngine(case, Communicator(devices))
    found = break_down(record_timelines(engine, engine.build(case), 10.0), "cuda_events")
    for gpu in found.per_gpu:
        # Gradients of weights are part of backward; here they are not told apart.
        keys = [k for k in gpu.__struct_fields__ if k not in ("index", "weight_gradient_s")]
        parts = [value for key in keys for value in getattr(gpu, key)]
        assert sum(parts) == pytest.approx(sum(found.step_times_s), rel=0.01)
        assert min(parts) >= 0


@pytest.mark.parametrize("gpus", [*COUNTS, pytest.param(4, marks=four_gpus)])
@pytest.mark.parametrize("depth", [6, 20])
def test_an_instrumented_step_takes_little_longer_than_the_plain_ones_beside_it(depth, gpus):
    engine = SingleEngine(
        Case(depth=depth, gpus=gpus, dim=4096, batch_size=64),
        Communicator(choose_devices(gpus, "cuda")),
    )
    step = engine.build(engine.case)
    for _ in range(50):
        step()
    found = break_down([t for _ in range(5) for t in record_timelines(engine, step, 10.0)], "host")
    assert median(found.step_times_s) < 1.2 * median(found.plain_step_times_s)


@two_gpus
def test_two_real_gpus_compute_about_half_of_the_time_each():
    found = measured(2, dim=4096, batch_size=2048).measurement.breakdown
    for gpu in found.per_gpu:
        busy = sum(gpu.forward_s) + sum(gpu.backward_s) + sum(gpu.optimizer_s)
        assert 0.35 < busy / sum(found.step_times_s) < 0.65


@two_gpus
def test_copies_between_two_real_gpus_arrive_and_are_timed():
    there, back = measured(2, dim=1024).ceilings.copies
    assert (there.source, there.target, back.source, back.target) == (0, 1, 1, 0)
    assert there.bandwidth_bytes_per_s > 1e9
    assert there.latency_s < there.bandwidth_bytes / there.bandwidth_bytes_per_s


# In a graph Adam corrects its bias with numbers on the GPU, in float32, so it rounds differently.
@pytest.mark.parametrize("recompute", ["none", "layers"])
@pytest.mark.parametrize(("optimizer", "tolerance"), [("sgd", 1e-5), ("adam", 0.01)])
def test_a_cuda_graph_has_the_losses_of_eager_steps(optimizer, tolerance, recompute):
    devices = choose_devices(1, "cuda")
    keys = {"depth": 8, "gpus": 1, "dim": 256, "batch_size": 16, "optimizer": optimizer}
    keys["recompute"] = recompute
    eager = build_step(Case(**keys), devices)
    graphed = GraphedStep(build_step(Case(**keys, execution="cuda_graph"), devices), devices)
    for _ in range(3):  # the graph has trained as many to warm up
        eager()
    ours, theirs = [], []
    for _ in range(10):
        eager()
        graphed()
        theirs.append(eager.loss)
        ours.append(graphed.loss)
    assert ours == pytest.approx(theirs, rel=tolerance)
    assert len(set(ours)) == len(ours)


def test_a_graphed_case_has_no_instrumented_steps():
    result = measured(1, dim=256, execution="cuda_graph")
    assert result.measurement.breakdown is None
    assert result.measurement.forward_s == []


def test_a_graph_on_emulated_gpus_is_refused():
    devices = choose_devices(torch.cuda.device_count() + 1, "auto")
    with pytest.raises(CaseError, match="one real CUDA GPU only"):
        check_possible(Case(depth=20, gpus=1, execution="cuda_graph"), devices)


def test_the_gpus_are_described_before_and_after_under_load():
    (gpu,) = measured(1, dim=4096, batch_size=4096).environment.gpus
    for state in (gpu.before, gpu.after):
        assert 0 < state.sm_clock_hz <= gpu.max_sm_clock_hz
        assert state.throttle_reasons is not None
