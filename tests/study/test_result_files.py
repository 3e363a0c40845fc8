"""What may be read as a result, and what is refused."""

import json

import msgspec
import pytest

from study.results.file import decode, encode
from study.results.validation import ResultError
from tests.report.made_up import failed, result

MEASURED = result(gpus=2)


def changed(**keys):
    """The file of a measured result with some of its keys replaced."""
    return json.dumps(json.loads(encode(MEASURED)) | keys).encode()


def measuring(**keys):
    """The file of a measured result with some keys of its measurement replaced."""
    return changed(measurement=json.loads(encode(MEASURED))["measurement"] | keys)


@pytest.mark.parametrize("given", [MEASURED, failed(gpus=2), result(gpus=5, gpu_name=None)])
def test_what_was_written_is_what_is_read(given):
    assert decode(encode(given)) == given


def test_a_loss_that_is_not_a_number_becomes_null():
    measurement = msgspec.structs.replace(MEASURED.measurement, first_loss=float("nan"))
    data = encode(msgspec.structs.replace(MEASURED, measurement=measurement))
    assert b"NaN" not in data
    assert json.loads(data)["measurement"]["first_loss"] is None
    assert decode(data).measurement.first_loss is None


def test_another_schema_version_says_which():
    with pytest.raises(ResultError, match="has schema_version 3; this code reads 2"):
        decode(changed(schema_version=3, a_key_of_the_future=True))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        b"null",
        b"[1, 2]",
        b"\x00\x01\x02",
        b"\x80\x04\x95",
        b'{"schema_version":2,"case_id":"\xff"}',
        b"[" * 100_000,
        encode(MEASURED)[:-100],
        encode(MEASURED) * 2,
    ],
)
def test_what_is_no_result_is_refused(data):
    with pytest.raises(ResultError, match="is not a result: "):
        decode(data)


@pytest.mark.parametrize("key", ["case", "case_id", "outcome", "placement", "job", "emulated"])
def test_a_result_that_lacks_a_key_is_refused_by_name(key):
    whole = json.loads(encode(MEASURED))
    del whole[key]
    with pytest.raises(ResultError, match=key):
        decode(json.dumps(whole).encode())


def test_an_unknown_key_is_refused_by_name():
    with pytest.raises(ResultError, match="colour"):
        decode(changed(colour="green"))


def test_an_id_that_does_not_fit_the_case_is_refused():
    with pytest.raises(ResultError, match=f"names case_id d1-g1; its case is {MEASURED.case_id}"):
        decode(changed(case_id="d1-g1"))


@pytest.mark.parametrize("part", ["placement", "measurement", "transfers", "environment"])
def test_ok_without_a_part_of_the_measurement_is_refused(part):
    with pytest.raises(ResultError, match="has outcome ok but lacks a part"):
        decode(changed(**{part: None}))


@pytest.mark.parametrize("times", [[], [0.1, 0.0], [0.1, -1.0]])
def test_ok_without_positive_step_times_is_refused(times):
    with pytest.raises(ResultError, match=r"lacks positive step times|>= 0"):
        decode(measuring(step_times_s=times))


def test_a_step_time_that_is_null_is_refused():
    with pytest.raises(ResultError, match="step_times_s"):
        decode(measuring(step_times_s=[0.1, None]))


def test_a_failed_case_needs_no_measurement_and_says_why():
    assert decode(encode(failed(message="no space"))).why_failed == "no space"
    assert decode(encode(MEASURED)).why_failed is None


@pytest.mark.parametrize(
    ("keys", "complaint"),
    [
        ({"placement": {"gpu_of_layer": [], "layers_per_gpu": []}}, "a placement that does not"),
        ({"outcome": "error"}, "which its error contradicts"),
        ({"error": {"type": "E", "message": "m"}}, "which its error contradicts"),
    ],
)
def test_a_result_whose_parts_contradict_one_another_is_refused(keys, complaint):
    with pytest.raises(ResultError, match=complaint):
        decode(changed(**keys))


@pytest.mark.parametrize(
    ("keys", "complaint"),
    [
        ({"forward_s": []}, "parts are not of the same steps"),
        ({"per_gpu": []}, "lacks a GPU"),
        ({"median_ci_s": (2.0, 0.5)}, "has an interval from 2.0 to 0.5 seconds"),
        ({"median_ci_s": (-2.0, 1.0)}, "median_ci_s"),
        ({"warmup_steps": -7}, "warmup_steps"),
    ],
)
def test_a_measurement_that_lacks_something_is_refused(keys, complaint):
    with pytest.raises(ResultError, match=complaint):
        decode(measuring(**keys))


def test_a_result_of_a_case_that_nothing_could_run_is_refused():
    case = msgspec.structs.replace(MEASURED.case, gpus=5, split="half")
    given = msgspec.structs.replace(MEASURED, case=case, case_id=case.case_id)
    with pytest.raises(ResultError, match="takes exactly 2"):
        decode(encode(given))


def broken_down(**changes):
    breakdown = msgspec.structs.replace(MEASURED.measurement.breakdown, **changes)
    return measuring(breakdown=msgspec.to_builtins(breakdown))


def one_gpu(**changes):
    first, *others = MEASURED.measurement.breakdown.per_gpu
    return [msgspec.structs.replace(first, **changes), *others]


@pytest.mark.parametrize(
    ("keys", "complaint"),
    [
        ({"per_gpu": []}, "lacks a GPU in its breakdown"),
        ({"per_gpu": one_gpu(idle_s=[])}, "parts are not of the same steps"),
        ({"per_gpu": one_gpu(idle_s=[1e308] * 3)}, "idle_s"),
        ({"per_gpu": one_gpu(forward_s=[-1.0] * 3)}, "forward_s"),
        ({"step_times_s": []}, "parts are not of the same steps"),
    ],
)
def test_a_breakdown_that_does_not_hold_together_is_refused(keys, complaint):
    with pytest.raises(ResultError, match=complaint):
        decode(broken_down(**keys))


@pytest.mark.parametrize(
    ("part", "keys", "complaint"),
    [
        ("gemm", None, "has no matrix product under ceilings"),
        ("gemm", {"flop_per_s": 0.0}, "flop_per_s"),
        ("gemm", {"sustained_flop_per_s": -5.0}, "sustained_flop_per_s"),
        ("copies", {"target": 7}, "has copies of a GPU that it does not have"),
    ],
)
def test_ceilings_that_cannot_be_are_refused(part, keys, complaint):
    entries = getattr(MEASURED.ceilings, part)
    changed_entries = [] if keys is None else [msgspec.structs.replace(entries[0], **keys)]
    ceilings = msgspec.structs.replace(MEASURED.ceilings, **{part: changed_entries})
    with pytest.raises(ResultError, match=complaint):
        decode(changed(ceilings=msgspec.to_builtins(ceilings)))


def test_a_schedule_with_a_line_break_behind_it_is_none():
    case = json.loads(encode(MEASURED))["case"] | {"schedule": "naive\n"}
    with pytest.raises(ResultError, match=r"is not a result: .*'naive\\n'"):
        decode(changed(case=case))
