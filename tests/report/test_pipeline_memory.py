"""What each GPU of a pipeline should hold: by hand where it is simple, and as H100s showed it."""

import os
import re
import subprocess
import sys

import msgspec
import pytest

from report.analysis.predicted_memory import predicted_of, predicted_peak
from report.data.measured import measured
from study.paths import ROOT
from study.results.file import read_result
from study.schedules import PIPELINES
from tests.conftest import PATIENCE_S
from tests.report.made_up import measuring
from tests.report.made_up_pipeline import predicted_by_closed_forms, scheduled

EXAMPLE = ROOT / "docs/example/results/h200"
DIM, BATCH, MICRO = 16, 4000, 10  # activations are large beside parameters
LAYER = 4 * (DIM**2 + DIM)
ROWS = 4 * DIM * BATCH // MICRO  # one activation of one micro-batch


def predicted(schedule, reduction=0, **keys):
    keys = {"depth": 6, "gpus": 2, "dim": DIM, "batch_size": BATCH, "micro_batches": MICRO} | keys
    keys.setdefault("dtype", "float32")
    return predicted_by_closed_forms(measured(scheduled(schedule, **keys)), reduction)


def test_gpipe_holds_all_micro_batches_beside_its_buffers():
    first, last = predicted("gpipe")
    # The batch, and received gradients; two inputs that ReLU made and the output of each; two
    # gradients on their way, before and behind ReLU.
    assert first.activations == (2 * MICRO + 3 * MICRO + 2) * ROWS
    # Target, received inputs, losses; three inputs and the output of each; two gradients.
    assert last.activations == (3 * MICRO + 4 * MICRO + 2) * ROWS
    assert first.gradients == last.gradients == LAYER
    assert first.parameters == 3 * LAYER


def test_1f1b_holds_as_many_as_there_are_stages_from_here_on():
    first, middle, last = predicted("1f1b", depth=9, gpus=3)
    assert first.activations == (2 * MICRO + 3 * 3 + 2) * ROWS
    # What it receives both ways; two in flight, two gradients, and the one that it sent last.
    assert middle.activations == (2 * MICRO + 2 * 4 + 2 + 1) * ROWS
    # On the last, the output's gradient is another: the peak has new gradients of a layer, too.
    assert last.activations == (3 * MICRO + 4 + 2 + 1) * ROWS
    assert [gpu.temporaries for gpu in (first, middle, last)] == [0, 0, LAYER]
    assert {gpu.gradients for gpu in (first, middle, last)} == {3 * LAYER}


def test_zb1p_keeps_the_gradients_that_its_weights_wait_for():
    _, last = predicted("zero_bubble")
    # Target, received inputs, losses, gradients of inputs; two in flight, each with the inputs
    # and the gradients of three layers.
    assert last.activations == (4 * MICRO + 2 * 6) * ROWS
    assert last.temporaries == 2 * LAYER


def test_adam_holds_two_states_and_the_denominators_at_the_end():
    (only,) = predicted("1f1b", gpus=1, optimizer="adam", batch_size=10)
    assert only.optimizer_state == 2 * only.parameters
    assert only.temporaries == only.parameters


def test_the_sum_of_a_micro_batchs_rows_counts_where_it_raises_the_peak():
    plain, more = predicted("1f1b"), predicted("1f1b", 10**6)
    assert more[1].total - plain[1].total == 10**6
    assert more[0].total - plain[0].total == 10**6 - ROWS + LAYER  # no longer at its ReLU


def test_gpipe_holds_just_what_torchs_living_tensors_hold():
    """Over Gloo; other schedules keep more of what they have sent there than over NCCL."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.report.living_ranks"],
        cwd=ROOT,
        env=dict(os.environ) | {"TORCH_CPP_LOG_LEVEL": "ERROR"},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )
    found = re.findall(r"rank (\d): (\d+) (\d+)", done.stdout)
    assert sorted(rank for rank, _, _ in found) == ["0", "0", "1", "1"], done.stderr
    for _, living, predicted in found:
        assert int(living) == pytest.approx(int(predicted), abs=16)  # bytes: losses, and ones


def test_without_an_instrumented_step_nothing_is_predicted():
    given = measuring(scheduled("1f1b"), breakdown=None)
    assert predicted_of(measured(given)) is None
    assert predicted_of(measured(scheduled("tensor", together_s=0.01))) is None


def test_what_the_sum_takes_for_other_rows_predicts_nothing():
    made = scheduled("1f1b", peaks=[10**9] * 5)
    for rows, is_known in ((made.case.batch_size // 10, True), (None, False), (7, False)):
        gpus = [
            msgspec.structs.replace(gpu, reduction_bytes=8, reduction_rows=rows)
            for gpu in made.measurement.per_gpu
        ]
        found = predicted_of(measured(measuring(made, per_gpu=gpus)))
        assert (found is not None) == is_known


@pytest.mark.parametrize("schedule", PIPELINES)
def test_every_peak_of_the_sample_is_predicted_to_a_kibibyte(schedule):
    results = [read_result(path) for path in EXAMPLE.glob("d24-*.json")]
    found = [measured(r) for r in results if r.case.schedule == schedule]
    assert len(found) == 3
    for result in found:
        for gpu in result.measurement.per_gpu:
            predicted = predicted_peak(result, gpu.index)
            assert gpu.peak_allocated_bytes == pytest.approx(predicted, abs=2**10)


def test_every_peak_of_the_sample_of_a_gpt_is_predicted_to_a_third_of_a_percent():
    """From its layers as measured; the most is ZBV's."""
    results = [read_result(path) for path in EXAMPLE.glob("gpt-*.json")]
    found = [measured(r) for r in results if r.measurement is not None]
    peaks = [(result, gpu) for result in found for gpu in result.measurement.per_gpu]
    assert len(peaks) == 52
    for result, gpu in peaks:
        predicted = predicted_peak(result, gpu.index)
        assert gpu.peak_allocated_bytes == pytest.approx(predicted, rel=0.0033)
