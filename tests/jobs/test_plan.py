"""Which cases run, which are left out, and why."""

import pytest

from jobs.plan import make_plan
from jobs.profile import Profile
from study.case import Case
from study.errors import ConfigError
from study.grid import Grid
from study.store import Store
from study.submissions import Submission, append

PROFILE = Profile("mine", "cluster.yaml: profiles.mine", "slurm", "cuda", gpus_per_node=4)
CASES = (2, 4)


def grid(**changes):
    given = {"axes": {"gpus": CASES}, "setting": {"depth": 8}} | changes
    return Grid(name="g", source="g.yaml", title="g", table="memory", **given)


@pytest.fixture
def store(tmp_path):
    store = Store(tmp_path, "mine")
    store.prepare()
    return store


def plan(store, grids=None, live=None, profile=PROFILE, force=False):
    return make_plan(grids or [grid()], {}, profile, store, live or {}, force)


def verdicts(items):
    return {item.case.gpus: item.left_out for item in items}


def submit(store, case, job_id):
    append(
        store.submissions,
        Submission(
            case=case, case_id=case.case_id, grid="g", overrides={}, executor="slurm",
            job_id=job_id, job_name="", log="", requested_gpus=case.gpus, timeout_min=1,
            submitted_at="",
        ),
    )  # fmt: skip


def test_everything_runs_at_first(store):
    assert verdicts(plan(store)) == {2: None, 4: None}


def test_a_case_of_two_grids_stands_in_the_plan_once(store):
    assert len(plan(store, [grid(), grid()])) == 2


def test_a_job_that_still_lives_is_left_out_even_by_force(store):
    submit(store, Case(depth=8, gpus=2), "17")
    items = plan(store, live={"17": "PENDING"}, force=True)
    assert verdicts(items) == {2: "job 17 is PENDING", 4: None}


def test_a_job_that_is_gone_without_a_result_runs_again(store):
    submit(store, Case(depth=8, gpus=2), "17")
    assert verdicts(plan(store, live={"18": "RUNNING"})) == {2: None, 4: None}


def test_a_result_that_cannot_be_read_is_left_out_and_counts_as_failed(store):
    store.result_path(Case(depth=8, gpus=2)).write_text("{}")
    item, _ = plan(store)
    assert item.failed
    assert "--force replaces it" in item.left_out


def test_more_gpus_than_a_node_has_are_refused(store):
    with pytest.raises(ConfigError, match=r"g.yaml: gpus: 5 is more than the 4 GPUs of a node"):
        plan(store, [grid(axes={"gpus": (5,)})])


def test_tf32_on_a_profile_without_gpus_is_refused(store):
    cpu = Profile("mine", "cluster.yaml: profiles.mine", "local", "cpu")
    with pytest.raises(ConfigError, match="dtype: tf32 needs a GPU"):
        plan(store, [grid(setting={"depth": 8, "dtype": "tf32"})], profile=cpu)
