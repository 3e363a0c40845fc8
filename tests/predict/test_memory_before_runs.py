"""Memory that is predicted before anything has run, against what H100s showed afterwards."""

import re
from statistics import mean

import msgspec
import pytest

from predict.memory.fit import Fits, Layers, in_gib
from predict.memory.gpu_size import GIB, GpuSize
from predict.memory.instead import what_would_fit
from predict.memory.kernels import MIB, row_sum_bytes
from predict.memory.kinds.of_case import layers_of
from predict.memory.least import least_of
from predict.memory.peaks import peaks_of
from study.paths import ROOT
from study.results.file import read_result
from study.schedules import PIPELINES, SCHEDULES
from study.validation import make_case

EXAMPLE = ROOT / "docs/example/results/h200"
H200 = 150_109_880_320  # bytes, as torch counts them
SIZES = {"depth": 8, "gpus": 4, "dim": 64, "batch_size": 96, "micro_batches": 8}


def case(**keys):
    keys = SIZES | keys
    if keys.get("schedule", "naive") not in PIPELINES:
        del keys["micro_batches"]
    return make_case(keys, "test")


def fits(size_gib=None, kind="h100"):
    size = None if size_gib is None else GpuSize(int(size_gib * GIB), "gpu_memory_gb", kind)
    return Fits(size, lambda case: Layers())


def errors():
    """The error of every predicted peak of the sample's linear stacks, and the schedule."""
    for path in EXAMPLE.glob("d*.json"):
        result = read_result(path)
        gpus = [] if result.measurement is None else result.measurement.per_gpu
        if any(gpu.peak_allocated_bytes is None for gpu in gpus):
            continue
        for peak in peaks_of(result.case):
            measured = gpus[peak.gpu].peak_allocated_bytes
            yield result.case.schedule, peak.allocated / measured - 1


def test_every_peak_of_the_sample_is_predicted_from_its_case_alone():
    found = [*errors()]
    assert len(found) == 67
    assert {schedule for schedule, _ in found} == {*SCHEDULES}
    assert mean(abs(error) for _, error in found) < 1e-4
    assert min(error for _, error in found) > -0.005
    apart_from_tensor = [error for schedule, error in found if schedule != "tensor"]
    assert max(map(abs, apart_from_tensor)) < 1e-5


def test_what_ran_out_of_memory_was_known_not_to_fit():
    """GPTs of up to 160 rows on H200s: 139.8 GiB each, of which 96 rows on one took 130."""
    known, found = Fits(GpuSize(H200, "gpu_memory_gb", "h200"), layers_of), set()
    for path in EXAMPLE.glob("gpt-*.json"):
        result = read_result(path)
        found.add((result.case.batch_size, result.outcome, known.of(result.case).answer))
    assert found == {
        (32, "ok", "fits"),
        (96, "ok", "fits"),
        (96, "ok", "may not fit"),
        (160, "oom_gpu", "cannot fit"),
    }


def test_the_first_fused_weight_gradients_come_on_top_of_all_that_is_kept():
    """As four H100s had it: with as few micro-batches as stages that is the peak."""
    keys = {"depth": 32, "dim": 5120, "batch_size": 16384, "dtype": "bfloat16", "gpus": 4}
    few = case(schedule="zero_bubble", gradients="fused", micro_batches=4, **keys)
    seen = (2_639_964_672, 3_038_351_872, 3_290_010_112, 3_866_716_672)
    assert [peak.allocated for peak in peaks_of(few)] == pytest.approx(seen, abs=16 * 2**10)


def test_the_sum_over_rows_takes_what_an_h100_took():
    """reduction_bytes of docs/example: rows, columns, bytes; the last sum is not split."""
    for rows, columns, size in (
        (1024, 5120, 41_943_552),
        (2048, 5120, 83_886_592),
        (16384, 5120, 138_936_832),
        (64, 4096, 0),
    ):
        assert row_sum_bytes(rows, columns) == size


def test_what_the_sum_takes_depends_on_the_gpu():
    assert row_sum_bytes(16384, 5120, multiprocessors=108) < row_sum_bytes(16384, 5120)


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("keys", [{}, {"optimizer": "adam"}, {"dtype": "bfloat16"}])
def test_every_schedule_has_a_peak_above_what_it_holds_at_least(schedule, keys):
    given = case(schedule=schedule, **keys)
    found = peaks_of(given)
    assert [peak.gpu for peak in found] == [
        *range(4 if SCHEDULES[schedule].layers is None else len(found))
    ]
    assert max(peak.parts.total for peak in found) > least_of(given, None)


def test_what_changes_no_memory_changes_no_prediction():
    known = fits()
    one = known.of(case())
    assert known.of(case(seed=3, steps=7, repeat=2, time_limit_s=5)) is one


@pytest.mark.parametrize(
    ("keys", "less"),
    [
        ({"gradients": "fused"}, True),
        ({"optimizer": "adam"}, False),
        ({"dtype": "bfloat16"}, True),
    ],
)
def test_keys_that_save_memory_do(keys, less):
    base = {"schedule": "1f1b", "batch_size": 9600, "dim": 256}
    before, after = (
        max(peak.allocated for peak in peaks_of(case(**base | more))) for more in ({}, keys)
    )
    assert (after < before) is less


def test_replicas_hold_what_one_pipeline_of_their_rows_holds():
    alone = peaks_of(case(schedule="1f1b", gpus=2, batch_size=48))
    shared = peaks_of(case(schedule="1f1b", gpus=4, batch_size=96, data_parallel=2))
    assert [peak.parts for peak in shared] == [peak.parts for peak in alone]
    assert [peak.gpu for peak in shared] == [0, 2]


def test_the_verdict_counts_what_cuda_takes_and_what_torch_reserves():
    given = case(dim=8192, gpus=1)
    (peak,) = peaks_of(given)
    needed = peak.needed / GIB
    reserved = (1.27 * peak.allocated + peak.beside) / GIB
    assert peak.needed == peak.parts.total + (65 + 767) * MIB
    for size, answer in (
        (needed * 0.999, "cannot fit"),
        (needed * 1.001, "may not fit"),
        (reserved * 0.999, "may not fit"),
        (reserved * 1.001, "fits"),
    ):
        assert fits(size).of(given).answer == answer
    assert fits().of(given).answer is None


def test_on_another_gpu_only_what_tensors_hold_for_sure_cannot_fit():
    given = case(dim=8192, gpus=1)
    (peak,) = peaks_of(given)
    sure = 0.9 * (peak.parts.total - peak.parts.temporaries) / GIB
    likely = (1.27 * peak.allocated + peak.beside) / GIB
    answers = {0.999 * sure: "cannot fit", 1.001 * sure: "may not fit", 1.001 * likely: "fits"}
    for size, answer in answers.items():
        assert fits(size, kind="a100").of(given).answer == answer


def test_one_gpu_of_data_or_tensor_parallelism_has_nobody_to_talk_to():
    for schedule in ("ddp", "fsdp", "tensor"):
        (peak,) = peaks_of(case(schedule=schedule, gpus=1))
        assert peak.beside == 1309 * MIB  # as on H200s, where it was 1306


def test_an_estimate_refuses_only_what_no_cut_could_make_fit():
    """A job cuts by times that it measures, so each GPU holds about so much."""
    given = case(schedule="1f1b", balance="time", dim=4096, batch_size=65536)
    at_most = max(peak.needed for peak in peaks_of(given)) / GIB
    held = sum(peak.held for peak in peaks_of(given)) / 4 / GIB
    assert held < 0.9 * at_most
    for size, answer in ((0.99 * held, "cannot fit"), (0.99 * at_most, "may not fit")):
        fit = fits(size).of(given)
        assert fit.answer == answer
        assert fit.words.startswith("about ")


def test_where_cuts_by_time_are_known_memory_is_theirs():
    given = case(schedule="1f1b", balance="time", dim=4096, gpus=2)
    one, other = (tuple(int(n >= layers) for n in range(given.layers)) for layers in (4, 6))
    of_one, of_other = (
        max(peak.needed for peak in peaks_of(given, None, list(cut))) for cut in (one, other)
    )
    assert of_one != of_other
    size = GpuSize(80 * GIB, "")
    fit = Fits(size, lambda case: Layers(), lambda case: (one,)).of(given)
    assert fit.words == f"{in_gib(fit.peak.allocated)}, fits"
    assert fit.peak.needed == of_one
    both = Fits(size, lambda case: Layers(), lambda case: (one, other)).of(given)
    assert re.fullmatch(r"[\d.]+ to [\d.]+ GiB, fits", both.words)
    at_most = max(of_one, of_other)
    small = GpuSize(int(0.99 * at_most), "")
    assert Fits(small, lambda case: Layers(), lambda case: (one, other)).of(given).answer == (
        "may not fit"
    )


def test_a_step_of_too_many_actions_is_bounded_from_below():
    given = case(schedule="gpipe", dim=4096, batch_size=2**20, micro_batches=2**19)
    fit = fits(80).of(given)
    assert fit.words == "at least 0.25 GiB"
    assert fits(0.1).of(given).answer == "cannot fit"


def test_the_fewest_gpus_or_micro_batches_that_fit_are_found():
    big = case(schedule="gpipe", dim=4096, depth=32, gpus=2, micro_batches=2, batch_size=65536)
    known = fits(12)
    assert known.of(big).answer == "cannot fit"

    def answer_of(one):
        return known.of(one).answer

    words = what_would_fit(big, answer_of, lambda case: True)
    gpus, may = map(int, re.match(r"(\d+) GPUs \((\d+) may\)", words).groups())
    for count, answer in (
        (gpus, "fits"),
        (gpus - 1, "may not fit"),
        (may, "may not fit"),
        (may - 1, "cannot fit"),
    ):
        assert answer_of(msgspec.structs.replace(big, gpus=count)) == answer
    assert "GPUs" not in what_would_fit(big, answer_of, lambda case: case.gpus <= 2)


def test_more_micro_batches_are_proposed_where_they_would_do():
    big = case(schedule="1f1b", dim=4096, depth=8, gpus=2, micro_batches=2, batch_size=65536)
    known = fits(9)
    words = what_would_fit(big, lambda one: known.of(one).answer, lambda one: one.gpus <= 2)
    assert re.fullmatch(r"\d+ micro-batches( \(\d+ may\))?", words), words


def test_figures_have_three_digits():
    def words(size):
        return in_gib(int(size * GIB))

    assert [words(size) for size in (0.0151, 1.234, 12.34, 1234.5)] == [
        "0.02 GiB", "1.23 GiB", "12.3 GiB", "1,234 GiB"
    ]  # fmt: skip
