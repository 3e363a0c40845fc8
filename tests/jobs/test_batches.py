"""Which cases are a job of their own, and which are elements of an array."""

from pathlib import Path

import pytest

from jobs.planned import PlannedCase
from jobs.profile import Profile
from jobs.slurm.sbatch import Request, sbatch_call
from jobs.slurm.submission import SMALL_GRID, make_batches
from jobs.status.case_status import join_ids
from study.case import Case
from study.errors import ConfigError
from study.storage.store import Store
from tests.jobs.test_plan import submission

CONFIG = {"MaxArraySize": "50"}
BATCH = "mpbench-01234567-0123456789ab"


def items(count, gpus=1, exclude="", **keys):
    cases = [Case(depth=depth, gpus=gpus, **keys) for depth in range(8, 8 + count)]
    return [PlannedCase(case=case, grid="g", exclude=exclude) for case in cases]


def sizes(batches):
    return [(batch[0].case.gpus, batch[0].exclude, len(batch)) for batch in batches]


def test_a_small_grid_is_a_named_job_for_each_case():
    assert sizes(make_batches(items(SMALL_GRID), CONFIG)) == [(1, "", 1)] * SMALL_GRID


def test_a_large_grid_is_an_array_for_each_gpu_count_no_longer_than_slurm_allows():
    plan = [*items(120), *items(20, gpus=4)]
    assert sizes(make_batches(plan, CONFIG)) == [(1, "", 50), (1, "", 50), (1, "", 20), (4, "", 20)]


def test_cases_that_leave_out_different_nodes_are_no_array_together():
    plan = [*items(20), *items(20, gpus=1, exclude="gpu7")]
    assert sizes(make_batches(plan, CONFIG)) == [(1, "", 20), (1, "gpu7", 20)]


def test_cases_with_one_process_and_cases_with_many_are_no_array_together():
    plan = [*items(20, gpus=4), *items(20, gpus=4, schedule="gpipe")]
    assert [{i.case.schedule for i in b} for b in make_batches(plan, CONFIG)] == [
        {"naive"},
        {"gpipe"},
    ]


def test_every_case_is_in_one_batch_and_none_in_two():
    plan = [*items(70), *items(33, gpus=4), *items(1, gpus=8)]
    batches = make_batches(plan, CONFIG)
    assert sorted(i.case.case_id for b in batches for i in b) == sorted(
        i.case.case_id for i in plan
    )


def script(request, **profile):
    submitit = {"timeout_min": 5} | profile.pop("submitit", {})
    mine = Profile("mine", "cluster.yaml", "slurm", "cuda", submitit=submitit, **profile)
    return sbatch_call(request, "d20-g2", BATCH, mine, Store(Path("results"), "mine")).script(
        "run it"
    )


def test_an_array_runs_as_many_elements_at_a_time_as_the_profile_says():
    assert "#SBATCH --array=0-99%100\n" in script(Request(2, 100, "mp-g2"))
    assert "#SBATCH --array=0-99%7\n" in script(Request(2, 100, "mp-g2"), max_parallel=7)
    assert "--array" not in script(Request(2, 1, "mp-d20-g2"), max_parallel=7)


def test_a_job_restarts_only_if_that_was_asked_for():
    assert "#SBATCH --no-requeue\n" in script(Request(2, 1, "a"))
    assert "#SBATCH --requeue\n" in script(Request(2, 1, "a", requeue=True))


def test_nodes_that_failed_are_left_out_beside_those_of_the_profile():
    excluded = script(Request(2, 1, "a", exclude="n7"), submitit={"slurm_exclude": "n1"})
    assert "#SBATCH --exclude=n1,n7\n" in excluded


def test_a_step_has_the_cpus_of_its_job():
    assert "--cpus-per-task=6 run it" in script(Request(2, 1, "a"), submitit={"cpus_per_task": 6})


def test_a_case_in_processes_has_a_task_for_each_gpu_on_as_few_nodes_as_have_enough():
    text = script(Request(16, 1, "a", in_processes=True), gpus_per_node=8, gpu_request="gres")
    for line in ("nodes=2", "ntasks-per-node=8", "gres=gpu:8"):
        assert f"#SBATCH --{line}\n" in text
    assert "--kill-on-bad-exit=0 --wait=30 --output=all run it" in text
    text = script(Request(6, 1, "a", in_processes=True), gpus_per_node=8)
    for line in ("nodes=1", "ntasks-per-node=6", "gpus-per-node=6"):
        assert f"#SBATCH --{line}\n" in text


def test_a_pair_that_measures_between_nodes_has_a_gpu_on_each_of_two():
    text = script(Request(2, 1, "a", in_processes=True, least_nodes=2), gpus_per_node=8)
    for line in ("nodes=2", "ntasks-per-node=1", "gpus-per-node=1"):
        assert f"#SBATCH --{line}\n" in text


def test_a_naive_case_is_one_task():
    text = script(Request(6, 1, "a"), gpus_per_node=8)
    for line in ("nodes=1", "ntasks-per-node=1", "gpus-per-node=6"):
        assert f"#SBATCH --{line}\n" in text
    assert "--wait" not in text


def test_processes_that_no_srun_would_start_are_refused():
    without = {"submitit": {"slurm_use_srun": False}}
    assert "srun" not in script(Request(2, 1, "a"), **without)
    with pytest.raises(ConfigError, match="srun starts the process of each GPU; remove it"):
        script(Request(2, 1, "a", in_processes=True), **without)


def test_array_elements_are_cancelled_in_one_word():
    submissions = [submission(job_id=job_id) for job_id in ("17_1", "18", "17_3", "19_0")]
    assert join_ids(submissions) == ["17_[1,3]", "18", "19_[0]"]
