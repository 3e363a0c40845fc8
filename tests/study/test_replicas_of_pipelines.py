"""Replicas of a pipeline: what a case of them needs, its id, and where its stages are."""

import pytest

from study.errors import ConfigError
from study.grids.file import load_grids
from study.stages import (
    allowed_speed_up,
    bubble_share,
    expected_in_flight,
    gpu_of_stage,
    in_first_replica,
    replica_of,
)
from study.validation import make_case
from study.values.description import describe

KEYS = {"depth": 8, "dim": 8, "batch_size": 32, "schedule": "1f1b", "micro_batches": 4}


def case(**keys):
    return make_case(KEYS | {"gpus": 4, "data_parallel": 2} | keys, "grid")


def test_each_replica_is_a_pipeline_with_its_share_of_the_batch():
    found = case()
    assert (found.replicas, found.pipeline_gpus, found.parts) == (2, 2, 8)
    assert gpu_of_stage(found) == [0, 2]
    assert [replica_of(found, gpu) for gpu in range(4)] == [0, 1, 0, 1]
    assert [in_first_replica(found, gpu) for gpu in range(4)] == [0, 0, 2, 2]
    assert gpu_of_stage(case(schedule="zbv")) == [0, 2, 2, 0]


def test_the_formulas_are_those_of_one_pipeline():
    one = make_case(KEYS | {"gpus": 2}, "grid")
    assert bubble_share(case()) == bubble_share(one) == 1 / 5
    assert allowed_speed_up(case()) == 2 * allowed_speed_up(one)
    assert [expected_in_flight(case(), gpu) for gpu in range(4)] == [2, 2, 1, 1]


def test_one_replica_has_the_id_of_a_case_without_the_key():
    plain = make_case(KEYS | {"gpus": 4}, "grid")
    assert case(data_parallel=1).case_id == plain.case_id != case().case_id
    assert "data_parallel" not in plain.as_dict()
    assert case().job_name == "mp-d8-g4-1f1b-m4-dp2"
    assert "4 micro-batches, balanced by layers, 2 replicas" in describe(case())


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"data_parallel": 3}, "data_parallel: 3 with gpus: 4, which it does not divide; use 1, 2"),
        ({"data_parallel": 8}, "data_parallel: 8 with gpus: 4, which it does not divide; use 1, 2"),
        ({"data_parallel": 4}, "1 GPU, which is no pipeline; use schedule: ddp"),
        ({"gpus": 2}, "1 GPU, which is no pipeline; use schedule: ddp"),
        (
            {"micro_batches": 3},
            "micro_batches: 3 with schedule: 1f1b, 4 GPUs, data_parallel: 2 and batch_size: 32; "
            "use 2, 4, 8, 16",
        ),
        ({"batch_size": 5}, "use a batch_size that is a multiple of 8"),
        ({"depth": 3, "schedule": "zbv"}, "3 layers are fewer than the 4 stages of 2 GPUs"),
        ({"balance": "2,2,2,2"}, "has 4 stages and 8 layers; this case has 2 and 8"),
        *(
            ({"schedule": name, "micro_batches": 1}, "data_parallel: 2 with schedule: .*is for gp")
            for name in ("naive", "tensor", "ddp", "fsdp")
        ),
    ],
)
def test_what_replicas_cannot_run_is_refused_with_what_they_take(keys, words):
    with pytest.raises(ConfigError, match=words) as caught:
        case(**keys)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("schedule", ["gpipe", "1f1b", "interleaved_1f1b", "zero_bubble", "zbv"])
def test_the_batch_that_an_error_proposes_is_accepted(schedule):
    with pytest.raises(ConfigError) as caught:
        case(batch_size=5, schedule=schedule)
    proposed = int(str(caught.value).rpartition(" ")[2])
    assert case(batch_size=proposed, schedule=schedule).batch_size == proposed


def test_more_gpus_than_layers_are_fine_as_long_as_one_pipeline_has_enough():
    assert case(depth=2).pipeline_gpus == 2
    with pytest.raises(ConfigError, match="use at most 2 GPUs"):
        case(depth=1)


def test_it_is_an_axis_a_key_under_pipeline_and_one_of_set(tmp_path):
    path = tmp_path / "g.yaml"
    path.write_text(
        "axes: {schedule: [naive, 1f1b], gpus: [4], data_parallel: [1, 2]}\n"
        "model: {depth: 8, dim: 8, batch_size: 32}\npipeline: {micro_batches: 4}\n"
    )
    (grid,) = load_grids([str(path)])
    assert [(c.schedule, c.data_parallel) for c in grid.cases()] == [
        ("naive", 1),
        ("1f1b", 1),
        ("1f1b", 2),
    ]
    kept = grid.with_overrides({"data_parallel": 2})
    assert [c.data_parallel for c in kept.cases()] == [1, 2]
    path.write_text(
        "axes: {gpus: [4]}\nmodel: {depth: 8, dim: 8, batch_size: 32}\n"
        "pipeline: {schedule: 1f1b, micro_batches: 4, data_parallel: 2}\n"
    )
    (grid,) = load_grids([str(path)])
    assert grid.cases() == [case()]
    path.write_text("axes: {gpus: [4], depth: [8]}\ntrain: {data_parallel: 2}\n")
    with pytest.raises(ConfigError, match="is in the wrong section; put it under pipeline"):
        load_grids([str(path)])
