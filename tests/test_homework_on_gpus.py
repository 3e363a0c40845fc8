"""The file `homework.py` on GPUs. Skipped without one; run by hand on a GPU machine."""

import pytest
import torch

from tests.homework_file import read_output, run_benchmark, run_homework

THERE = torch.cuda.device_count() if torch.cuda.is_available() else 0
pytestmark = pytest.mark.skipif(THERE < 1, reason="needs a CUDA GPU")


@pytest.mark.parametrize("gpus", [n for n in (1, 2, 4, 5) if n <= THERE] or [1])
def test_it_splits_moves_and_starts_as_the_benchmark_does(tmp_path, gpus):
    sizes = ("--depth", 20, "--gpus", gpus, "--dim", 1024, "--steps", 20)
    done = run_homework(tmp_path, *sizes, BATCH_SIZE=64)
    assert done.returncode == 0, done.stderr
    seen = read_output(done.stdout)
    result = run_benchmark(*sizes, "--device", "cuda")
    assert seen["places"] == result["placement"]["gpu_of_layer"]
    assert seen["devices"] == [f"cuda:{gpu}" for gpu in seen["places"]]
    assert seen["calls"] == result["transfers"]["to_calls_per_forward"] == 20
    assert seen["moves"] == result["transfers"]["moves_forward"] == gpus - 1
    assert seen["moved_before"] == result["transfers"]["moved_before_layers"]
    assert seen["first_loss"] == pytest.approx(result["measurement"]["first_loss"], rel=1e-5)
    assert seen["step_ms"] > 0
    peaks = [gpu["peak_allocated_bytes"] / 2**30 for gpu in result["measurement"]["per_gpu"]]
    assert seen["peaks_gib"] == pytest.approx(peaks, rel=0.2)
    assert "note:" not in done.stdout


@pytest.mark.skipif(THERE < 2, reason="needs two CUDA GPUs")
def test_without_options_it_takes_every_gpu(tmp_path):
    seen = read_output(run_homework(tmp_path, "--steps", 3, DEPTH=24).stdout)
    assert set(seen["devices"]) == {f"cuda:{gpu}" for gpu in range(THERE)}


def test_more_gpus_than_there_are_share_the_first_and_it_says_so(tmp_path):
    done = run_homework(tmp_path, "--gpus", THERE + 1, "--steps", 3, DEPTH=24)
    assert done.stdout.startswith(
        f"note: fewer than {THERE + 1} GPUs here; all layers share cuda:0"
    )
    seen = read_output(done.stdout)
    assert set(seen["devices"]) == {"cuda:0"}
    assert (seen["moves"], len(seen["moved_before"])) == (0, THERE)
