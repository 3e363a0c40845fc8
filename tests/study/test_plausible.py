"""A result whose numbers are of the right types and yet impossible is refused, and why is said."""

import json
from pathlib import Path

import pytest

from study.results.file import read_result
from study.results.measurement import TimeSpan
from study.results.plausible import _why_no_pipeline
from study.results.validation import ResultError
from study.validation import make_case

EXAMPLE = Path(__file__).resolve().parent.parent.parent / "docs/example/results/h200"


def schedule(name):
    """A sample result of this schedule on two GPUs, as JSON."""
    found = [json.loads(path.read_text()) for path in sorted(EXAMPLE.glob("d*-g2-*.json"))]
    return next(result for result in found if result["case"]["schedule"] == name)


def refusal(tmp_path, result):
    path = tmp_path / "result.json"
    path.write_text(json.dumps(result))
    with pytest.raises(ResultError) as refused:
        read_result(path)
    return str(refused.value)


def spans(result):
    return result["measurement"]["breakdown"]["typical_step"]


def compute(result):
    return [span for span in spans(result) if span["stage"] is not None]


def all_at_once(result):
    for span in spans(result):
        span |= {"start_s": 0.0, "end_s": 0.01}


def one_twice(result):
    spans(result).append(dict(compute(result)[0]))


def one_less(result):
    spans(result).remove(compute(result)[0])


def stage_99(result):
    compute(result)[0]["stage"] = 99


def micro_batch_77(result):
    compute(result)[0]["micro_batch"] = 77


def on_another_gpu(result):
    compute(result)[0]["gpu"] = 1 - compute(result)[0]["gpu"]


def peer_50(result):
    next(span for span in spans(result) if span["peer"] is not None)["peer"] = 50


def odd_stages(result):
    result["placement"]["stage_of_layer"][1] = 9


def interval_elsewhere(result):
    result["measurement"]["median_ci_s"] = [1.0, 2.0]


def real_cpu(result):
    result["measurement"]["per_gpu"][0]["device"] = "cpu"


def backwards(result):
    span = compute(result)[0]
    span["start_s"], span["end_s"] = span["end_s"], span["start_s"]


def collectives(result):
    spans(result)[-1]["kind"] = "collective"


def turned_round(result):
    end = max(span["end_s"] for span in spans(result))
    for span in spans(result):
        span["start_s"], span["end_s"] = end - span["end_s"], end - span["start_s"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (all_at_once, "does two things at once"),
        (one_twice, "are not those of its schedule"),
        (one_less, "are not those of its schedule"),
        (stage_99, "are not those of its schedule"),
        (micro_batch_77, "are not those of its schedule"),
        (on_another_gpu, "a stage on another GPU than its own"),
        (peer_50, "with a GPU that it does not have"),
        (odd_stages, "stages that do not fit"),
        (interval_elsewhere, "outside of its interval"),
        (real_cpu, "a device that is no GPU, and not emulated"),
        (backwards, "ends before it begins"),
        (collectives, "are not those of its schedule"),
        (turned_round, "are not those of its schedule"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_the_impossible_is_refused(tmp_path, change, words):
    result = schedule("1f1b")
    change(result)
    assert words in refusal(tmp_path, result)


@pytest.mark.parametrize(("tied", "allowed"), [(True, True), (False, False)])
def test_only_layers_that_may_share_a_weight_have_a_collective_in_a_pipeline(tied, allowed):
    keys = {"kind": "gpt", "depth": 2, "dim": 8, "heads": 2, "seq_len": 4, "vocab": 8}
    keys |= {"gpus": 2, "schedule": "1f1b", "micro_batches": 2, "batch_size": 4, "tied": tied}
    case = make_case(keys, "test")
    computed = [
        TimeSpan(gpu=g, kind=kind, start_s=start, end_s=start + 1, stage=g, micro_batch=m)
        for g in (0, 1)
        for m in (0, 1)
        for kind, start in (("forward", 2.0 * m), ("backward", 2.0 * m + 1))
    ]
    added = TimeSpan(gpu=0, kind="collective", start_s=5.0, end_s=6.0)
    assert _why_no_pipeline(case, computed) is None
    assert (_why_no_pipeline(case, [*computed, added]) is None) is allowed


def test_weights_of_another_micro_batch_are_refused(tmp_path):
    result = schedule("zero_bubble")
    next(s for s in spans(result) if s["kind"] == "weight_gradient")["micro_batch"] = 77
    assert "are not those of its schedule" in refusal(tmp_path, result)


@pytest.mark.parametrize("path", sorted(EXAMPLE.glob("*.json")), ids=lambda path: path.stem)
def test_what_was_measured_is_read(path):
    result = read_result(path)
    is_too_large = result.case.batch_size == 160
    assert result.outcome == ("oom_gpu" if is_too_large else "ok")


def of_one_gpu(result):
    for span in spans(result):
        span["gpu"] = 0


def with_stages(result):
    for span in spans(result):
        span["stage"] = 7


def with_weights_apart(result):
    spans(result)[0]["kind"] = "weight_gradient"


def without_length(result):
    for span in spans(result):
        span |= {"start_s": 0.0, "end_s": 0.0}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (of_one_gpu, "has a typical step"),
        (with_stages, "are not those of its schedule"),
        (with_weights_apart, "are not those of its schedule"),
        (without_length, "without a length"),
        (all_at_once, "does two things at once"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_step_that_no_tensor_parallelism_takes_is_refused(tmp_path, change, words):
    result = schedule("tensor")
    change(result)
    assert words in refusal(tmp_path, result)


def test_several_stages_on_a_gpu_must_be_told(tmp_path):
    result = schedule("zbv")
    result["placement"]["stage_of_layer"] = None
    assert "lacks the stage of each layer" in refusal(tmp_path, result)


def test_a_naive_step_without_length_is_refused(tmp_path):
    result = schedule("naive")
    without_length(result)
    assert "without a length" in refusal(tmp_path, result)
