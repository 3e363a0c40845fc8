"""Who computes weight gradients where nobody says: what was measured to be never slower."""

import pytest

from study.grids.file import load_grids
from study.schedules import PIPELINES, SCHEDULES
from study.validation import make_case
from study.values.gradients import gradients_under

SIZES = {"depth": 8, "gpus": 2, "batch_size": 8}
OF_KINDS = {
    "linear": {},
    "gpt": {"kind": "gpt"},
    "conv": {"kind": "conv", "image": 32},
    "factory": {"factory": "models/moe.py:build"},
}


def made(**keys):
    return make_case(SIZES | keys, "here")


def micro(schedule):
    return {"schedule": schedule} | ({"micro_batches": 4} if schedule in PIPELINES else {})


@pytest.mark.parametrize("kind", OF_KINDS)
def test_they_are_fused_where_that_is_never_slower_in_models_of_linear_layers(kind):
    fused = set()
    for schedule in SCHEDULES:
        for execution in ("eager", "cuda_graph"):
            if schedule in ("naive", "tensor") or (schedule, kind) == ("ddp", "factory"):
                continue
            case = made(**OF_KINDS[kind], **micro(schedule), execution=execution)
            fused |= {(schedule, execution)} if case.gradients == "fused" else set()
    wanted = {("zero_bubble", "eager"), ("zbv", "eager"), *((s, "cuda_graph") for s in PIPELINES)}
    assert fused == (wanted if kind in ("linear", "gpt") else set())


def test_what_is_chosen_stays_and_separate_has_the_id_of_before():
    case = made(**micro("zero_bubble"), gradients="separate")
    assert "gradients" not in case.as_dict()
    assert gradients_under(case, "zbv") == "separate"
    assert gradients_under(made(), "zbv") == "fused"
    assert gradients_under(made(**micro("1f1b"), gradients="fused"), "naive") == "separate"


@pytest.fixture
def grid(tmp_path):
    def load(axes):
        path = tmp_path / "g.yaml"
        path.write_text(
            f"axes: {{schedule: [naive, 1f1b, zbv]{axes}}}\nmodel: {{depth: 8, gpus: 2}}\n"
            "pipeline: {micro_batches: 4}\n"
        )
        return load_grids([str(path)])[0]

    return load


def test_a_grid_has_the_cases_of_before_too_and_one_that_chooses_has_not(grid):
    open_, keys = grid(""), {"depth": 8, "gpus": 2}
    assert [c.gradients for c in open_.cases()] == ["separate", "separate", "fused"]
    assert all(open_.contains(case) for case in open_.cases())
    before = make_case(keys | micro("zbv") | {"gradients": "separate"}, "here")
    assert open_.contains(before)
    assert not open_.contains(make_case(keys | micro("1f1b") | {"gradients": "fused"}, "here"))
    assert not open_.with_overrides({"gradients": "fused"}).contains(before)
    assert open_.with_overrides({"gradients": "separate"}).cases()[-1] == before


def test_a_graph_and_the_eager_step_that_it_is_compared_with_differ_in_nothing_else(grid):
    chosen = grid("").with_overrides({"execution": "cuda_graph", "schedule": "1f1b"})
    assert [c.gradients for c in chosen.cases()] == ["fused"]
    swept = grid(", execution: [eager, cuda_graph]").with_overrides({"schedule": "1f1b"})
    assert [c.gradients for c in swept.cases()] == ["separate", "separate"]
    assert all(swept.contains(case) for case in swept.cases())
