"""What a case is, which values it takes, and its id."""

import re
import subprocess
import sys

import msgspec
import pytest

from study.case import Case
from study.errors import ConfigError
from study.validation import make_case
from study.values.keys import KEYS, check_value
from study.values.parsing import parse_value

CASE = Case(depth=20, gpus=5)
OTHER = {
    "schedule": "gpipe",
    "depth": 21,
    "gpus": 4,
    "dim": 8,
    "batch_size": 8,
    "split": "half",
    "dtype": "bfloat16",
    "optimizer": "adam",
    "execution": "cuda_graph",
    "recompute": "layers",
    "seed": 1,
    "warmup_steps": 1,
    "steps": 1,
    "time_limit_s": 1.0,
    "ci_half_width": 0.0,
    "repeat": 2,
}


def test_an_id_is_depth_gpus_and_eight_hex_digits():
    assert re.fullmatch(r"d20-g5-[0-9a-f]{8}", CASE.case_id)


def test_equal_configurations_have_equal_ids():
    as_whole_seconds = make_case({"gpus": 5, "depth": 20, "time_limit_s": 60}, "here")
    assert as_whole_seconds == CASE
    assert as_whole_seconds.case_id == CASE.case_id


def test_an_id_is_the_same_in_another_process():
    code = "from study.case import Case; print(Case(depth=20, gpus=5).case_id)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == CASE.case_id


@pytest.mark.parametrize("key", OTHER)
def test_any_other_value_makes_another_id(key):
    changed = Case(**(CASE.as_dict() | {key: OTHER[key]}))
    assert changed.case_id != CASE.case_id


PIPELINE = {"micro_batches": 2, "chunks_per_gpu": 3, "balance": "time", "gradients": "fused",
            "data_parallel": 2}  # fmt: skip


@pytest.mark.parametrize("key", PIPELINE)
def test_a_key_of_some_schedules_is_part_of_their_ids_and_of_no_others(key):
    def ids(schedule):
        case = Case(depth=20, gpus=5, schedule=schedule)
        return case.case_id, msgspec.structs.replace(case, **{key: PIPELINE[key]}).case_id

    assert len(set(ids("interleaved_1f1b"))) == 2
    assert len(set(ids("naive"))) == 1


OF_KINDS = {
    "gpt": {"heads": 8, "seq_len": 8, "vocab": 8, "tied": True},
    "conv": {"width": 8, "image": 8, "classes": 8, "norm": "batch"},
    "factory": {"factory": "b.py:f", "sha256": "b" * 64, "args": (("x", 1),)},
    "program": {"command": "b", "args": (("x", 1),)},
}
FIRST = {
    "gpt": {"heads": 4, "seq_len": 4, "vocab": 4, "tied": False},
    "conv": {"width": 4, "image": 16, "classes": 4, "norm": "group"},
    "factory": {"factory": "a.py:f", "sha256": "a" * 64, "args": ()},
    "program": {"command": "a", "args": ()},
}


@pytest.mark.parametrize(("kind", "key"), [(k, key) for k in OF_KINDS for key in OF_KINDS[k]])
def test_a_key_of_a_kind_of_model_is_part_of_its_ids(kind, key):
    case = Case(depth=20, gpus=5, kind=kind, **FIRST[kind])
    changed = msgspec.structs.replace(case, **{key: OF_KINDS[kind][key]})
    assert changed.case_id != case.case_id
    assert case.case_id.startswith(f"{kind}-")


def test_every_key_that_has_a_choice_is_part_of_the_id():
    of_kinds = {key for keys in OF_KINDS.values() for key in keys}
    assert set(KEYS) == {"kind", "calibrates"} | set(OTHER) | set(PIPELINE) | of_kinds


def test_a_calibration_has_an_id_that_says_so_and_changes_with_what_it_calibrates():
    ids = {
        msgspec.structs.replace(CASE, calibrates=f"rows={rows} gradients=separate").case_id
        for rows in (8, 16)
    }
    assert len(ids) == 2
    assert all(case_id.startswith("calibration-d20-g5-") for case_id in ids)
    assert CASE.case_id not in ids


def test_repeats_have_ids_of_their_own_and_one_configuration():
    again = Case(depth=20, gpus=5, repeat=2)
    assert again.case_id != CASE.case_id
    assert again.configuration == CASE == CASE.configuration
    assert (CASE.job_name, again.job_name) == ("mp-d20-g5", "mp-d20-g5-r2")


def test_a_graph_of_several_gpus_is_refused_with_the_way_out():
    with pytest.raises(ConfigError, match=r"cuda_graph with gpus: 2 with schedule: naive.*eager"):
        make_case({"depth": 4, "gpus": 2, "execution": "cuda_graph"}, "here")
    assert make_case({"depth": 4, "gpus": 1, "execution": "cuda_graph"}, "here").gpus == 1


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("depth", 0),
        ("ci_half_width", -0.1),
        ("ci_half_width", 0.6),
        ("repeat", 0),
        ("execution", "graph"),
        ("depth", "6"),
        ("depth", "six"),
        ("depth", 100_001),
        ("depth", None),
        ("gpus", -1),
        ("gpus", 2.5),
        ("gpus", 2.0),
        ("gpus", True),
        ("gpus", [2]),
        ("seed", -1),
        ("seed", 2**63),
        ("time_limit_s", 0),
        ("time_limit_s", True),
        ("time_limit_s", float("nan")),
        ("time_limit_s", float("inf")),
        ("split", "thirds"),
        ("split", ["half"]),
        ("dtype", 32),
    ],
)
def test_a_value_that_a_key_does_not_take_is_named_with_what_it_takes(key, value):
    with pytest.raises(ConfigError) as caught:
        check_value(key, value, "here.yaml")
    assert str(caught.value).startswith(f"here.yaml: {key}: {value!r} is not ")


@pytest.mark.parametrize(("key", "value"), OTHER.items())
def test_a_value_that_a_key_takes_is_the_same_written_as_text(key, value):
    assert check_value(key, value, "here") == value
    assert parse_value(key, str(value), "--set") == value


def test_whole_seconds_are_seconds():
    assert parse_value("time_limit_s", "30", "--set") == 30.0


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("depth", "six"),
        ("depth", "2.5"),
        ("depth", "0"),
        ("depth", ""),
        ("depth", "9" * 5000),
        ("time_limit_s", "nan"),
        ("time_limit_s", "1e400"),
        ("time_limit_s", "soon"),
        ("split", "thirds"),
    ],
)
def test_text_that_a_key_does_not_take_is_refused_in_one_line(key, text):
    with pytest.raises(ConfigError, match=rf"^--set: {key}: .* is not (a|one of).*$"):
        parse_value(key, text, "--set")


@pytest.mark.parametrize("check", [check_value, parse_value])
def test_an_unknown_key_names_the_known_ones(check):
    with pytest.raises(ConfigError) as caught:
        check("layers", "6", "--set")
    known = f"known keys: {', '.join(KEYS)}; an argument of a factory or a program is args.layers"
    assert str(caught.value) == f"--set: unknown key 'layers'; {known}"


def test_the_base_code_splits_over_exactly_two_gpus():
    with pytest.raises(ConfigError, match="gpus: 5 with split: half, which takes exactly 2"):
        make_case({"depth": 20, "gpus": 5, "split": "half"}, "here")


def test_a_gpu_without_a_layer_is_refused():
    with pytest.raises(ConfigError, match="gpus: 5 for 4 layers would leave a GPU without"):
        make_case({"depth": 4, "gpus": 5}, "here")


def test_as_many_gpus_as_layers_are_allowed():
    assert make_case({"depth": 4, "gpus": 4}, "here").gpus == 4


@pytest.mark.parametrize("key", ["depth", "gpus"])
def test_a_case_without_depth_or_gpus_is_refused(key):
    values = {"depth": 4, "gpus": 2}
    del values[key]
    with pytest.raises(ConfigError, match=f"here: {key}: missing"):
        make_case(values, "here")
