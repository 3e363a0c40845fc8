"""A case whose schedule could not run is refused, with what it takes."""

from dataclasses import replace

import pytest

from study.errors import ConfigError
from study.grids.file import load_grids
from study.stages import gpu_of_stage
from study.validation import make_case


def case(**keys):
    return make_case({"depth": 20, "gpus": 5, "dim": 40, "batch_size": 320} | keys, "grid")


@pytest.mark.parametrize("micro_batches", [5, 8, 10, 20, 40])
@pytest.mark.parametrize("schedule", ["interleaved_1f1b", "zero_bubble", "zbv", "1f1b", "gpipe"])
def test_five_stages_take_whole_rounds(schedule, micro_batches):
    assert case(schedule=schedule, micro_batches=micro_batches).micro_batches == micro_batches


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"schedule": "interleaved_1f1b", "micro_batches": 16}, "use 5, 8, 10, 20, 40, 80, 160"),
        ({"schedule": "zero_bubble", "micro_batches": 32}, "use 5, 8, 10, 20, 40, 80, 160"),
        ({"schedule": "1f1b", "micro_batches": 4}, "use 5, 8, 10, 16, 20"),
        ({"schedule": "gpipe", "micro_batches": 3}, "use 1, 2, 4, 5, 8, 10, 16, 20, ..."),
        (
            {"schedule": "1f1b", "micro_batches": 2, "batch_size": 2},
            "a batch_size that is a multiple of 5",
        ),
        ({"schedule": "zbv", "micro_batches": 5, "chunks_per_gpu": 3}, "zbv, which takes 2"),
        (
            {"schedule": "interleaved_1f1b", "chunks_per_gpu": 1},
            "interleaved_1f1b, which takes 2 or more",
        ),
        ({"schedule": "zbv", "depth": 9, "micro_batches": 5}, "fewer than the 10 stages"),
        ({"schedule": "naive", "micro_batches": 4}, "it is for gpipe, 1f1b"),
        ({"schedule": "tensor", "balance": "time"}, "it is for gpipe, 1f1b"),
        ({"schedule": "gpipe", "chunks_per_gpu": 3}, "it is for interleaved_1f1b, zbv"),
        ({"schedule": "tensor", "dim": 41}, "41 is not divisible by 5 GPUs"),
        ({"schedule": "gpipe\n"}, "is not one of: naive, gpipe"),
        ({"schedule": "gpipe", "split": "half", "gpus": 2}, "takes split: even"),
    ],
)
def test_what_a_schedule_cannot_run_is_refused_with_what_it_takes(keys, words):
    with pytest.raises(ConfigError, match=words):
        case(**keys)


def test_zbv_goes_down_and_up_and_interleaving_goes_round():
    zbv = case(schedule="zbv", micro_batches=5)
    assert gpu_of_stage(zbv) == [0, 1, 2, 3, 4, 4, 3, 2, 1, 0]
    assert gpu_of_stage(case(schedule="interleaved_1f1b", micro_batches=5)) == [0, 1, 2, 3, 4] * 2
    assert gpu_of_stage(case(schedule="gpipe")) == [0, 1, 2, 3, 4]


@pytest.fixture
def grid(tmp_path):
    path = tmp_path / "g.yaml"
    path.write_text(
        "axes: {schedule: [naive, gpipe, tensor], gpus: [1, 2], micro_batches: [4, 8]}\n"
        "model: {depth: 4, dim: 8, batch_size: 8}\n"
    )
    (grid,) = load_grids([str(path)])
    return grid


def test_a_key_that_only_some_schedules_have_stays_out_of_the_others(grid):
    found = [(c.schedule, c.gpus, c.micro_batches) for c in grid.cases()]
    gpipe = [("gpipe", gpus, m) for gpus in (1, 2) for m in (4, 8)]
    once = [(s, gpus, 1) for s in ("naive", "tensor") for gpus in (1, 2)]
    assert sorted(found) == sorted(gpipe + once)


def test_a_grid_contains_its_cases_and_no_others(grid):
    assert all(grid.contains(made) for made in grid.cases())
    keys = {"depth": 4, "gpus": 2, "dim": 8, "batch_size": 8}
    assert not grid.contains(make_case(keys | {"schedule": "gpipe", "micro_batches": 2}, "x"))


@pytest.mark.parametrize("schedule", ["naive", "gpipe", "tensor"])
@pytest.mark.parametrize("sizes", [{}, {"gpus": 1}])
def test_a_schedule_that_is_set_has_the_cases_that_the_whole_grid_has_of_it(grid, schedule, sizes):
    whole = grid.with_overrides(sizes)
    kept = [made for made in whole.cases() if made.schedule == schedule]
    filtered = grid.with_overrides(sizes | {"schedule": schedule})
    assert [made.case_id for made in filtered.cases()] == [made.case_id for made in kept]
    assert all(filtered.contains(made) for made in kept)
    assert not any(filtered.contains(made) for made in whole.cases() if made not in kept)


def test_a_key_under_pipeline_does_not_keep_a_grid_from_being_filtered(tmp_path):
    path = tmp_path / "g.yaml"
    path.write_text(
        "axes: {schedule: [naive, zbv], gpus: [1, 2]}\nmodel: {depth: 4, dim: 8, batch_size: 8}\n"
        "pipeline: {micro_batches: 4, chunks_per_gpu: 2, balance: time}\n"
    )
    (whole,) = load_grids([str(path)])
    filtered = whole.with_overrides({"schedule": "naive"})
    assert filtered.cases() == [made for made in whole.cases() if made.schedule == "naive"]


def test_a_key_that_none_of_its_schedules_has_is_refused(grid):
    for set_together in ({"micro_batches": 4}, {"balance": "time"}):
        overridden = grid.with_overrides({"schedule": "naive"} | set_together)
        with pytest.raises(ConfigError, match="with schedule: naive; it is for"):
            overridden.cases()
    of_pipelines = replace(grid, axes=grid.axes | {"schedule": ("gpipe",)})
    with pytest.raises(ConfigError, match="micro_batches: 4 with schedule: naive"):
        of_pipelines.with_overrides({"schedule": "naive"}).cases()
