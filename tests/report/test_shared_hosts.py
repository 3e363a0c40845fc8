"""Jobs that ran on one host at the same time are found, whatever table or profile they are in."""

import random
from pathlib import Path

import msgspec
import pytest

from report.analysis.comparison import cautions
from report.analysis.verdicts.disturbances import disturbances
from report.data.hosts import clusters, shared_hosts
from report.data.load import load_results
from report.data.selection import select_tables
from tests.report.made_up import failed, grid, result, write
from tests.report.made_up_conditions import environment, ran

ALONE = ("10:01:00", "10:02:00")


def other(start, end, *hosts):
    """A job of another grid."""
    return ran(result("task2", depth=6, gpus=2), start, end, *(hosts or ["node1"]))


def on_gpus(given, uuids):
    """The result from GPUs of these UUIDs, a letter each."""
    gpus = given.environment.gpus
    named = [msgspec.structs.replace(gpu, uuid=uuids[n % len(uuids)]) for n, gpu in enumerate(gpus)]
    return environment(given, gpus=named)


def shared(*results):
    return shared_hosts(dict(enumerate(results)))


@pytest.mark.parametrize(
    ("start", "end", "together"),
    [
        ("10:00:00", "10:01:30", True),
        ("10:01:30", "10:03:00", True),
        ("10:01:10", "10:01:20", True),
        ("10:00:00", "11:00:00", True),
        ("10:02:00", "10:03:00", False),
        ("10:00:00", "10:01:01", False),  # the last second of a job is behind its last step
    ],
)
def test_jobs_share_a_host_if_their_times_overlap(start, end, together):
    found = shared(ran(result(gpus=2), *ALONE, "node1"), other(start, end))
    assert found == ({0: ("node1",), 1: ("node1",)} if together else {})


def test_another_host_is_not_shared():
    assert shared(ran(result(gpus=2), *ALONE, "node1"), other(*ALONE, "node2")) == {}


def test_a_job_on_several_hosts_shares_those_where_another_ran():
    wide = ran(result(gpus=4), *ALONE, "node1", "node2", "node3")
    found = shared(wide, other(*ALONE, "node2"), ran(result(gpus=2), *ALONE, "node3"))
    assert found == {0: ("node2", "node3"), 1: ("node2",), 2: ("node3",)}


def test_a_long_job_is_seen_beside_one_that_starts_after_others_have_ended():
    long = ran(result(gpus=2), "10:00:00", "12:00:00", "node1")
    early, late = other("10:10:00", "10:20:00"), ran(result(gpus=5), "11:00:00", "11:10:00")
    assert sorted(shared(long, early, late)) == [0, 1, 2]


def test_a_copy_of_a_result_is_no_other_job():
    assert shared(other(*ALONE), other(*ALONE)) == {}


def test_a_job_that_failed_before_it_knew_its_host_is_not_seen():
    assert shared(failed(gpus=5), ran(result(gpus=2), *ALONE, "node1")) == {}


def test_a_sweep_finds_what_every_pair_looked_at_would():
    random.seed(3)
    spans = [(t, t + random.randint(1, 40)) for t in (random.randint(0, 2000) for _ in range(150))]
    jobs = [
        ran(result(gpus=2, repeat=1 + i), _clock(start), _clock(end), "node1")
        for i, (start, end) in enumerate(spans)
    ]
    expected = {
        i
        for i, (start, end) in enumerate(spans)
        for k, (a, b) in enumerate(spans)
        if i != k and min(end, b) - max(start, a) > 1
    }
    assert 0 < len(expected) < len(spans)
    assert set(shared(*jobs)) == expected


def _clock(seconds):
    return f"{10 + seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"


def test_a_job_of_another_profile_and_grid_is_a_caution_in_the_sentence(tmp_path: Path):
    few, many = ran(result(gpus=2), "09:00:00", "09:01:00"), ran(result(gpus=5), *ALONE)
    write(tmp_path, "slurm", few, many)
    write(tmp_path, "course", other(*ALONE))
    profiles = load_results(tmp_path, lambda text: None)
    (table,) = [t for t in select_tables(grid("task4"), profiles) if t.profile == "slurm"]
    assert cautions(*table.results) == ["on 5 GPUs, another job ran on the same host"]
    assert disturbances(table.results[1]) == ["ran beside another job on host node1"]


def test_a_host_of_the_same_name_in_another_cluster_is_not_shared(tmp_path: Path):
    write(
        tmp_path, "slurm", ran(result(gpus=2), *ALONE), ran(result(gpus=5), "09:00:00", "09:01:00")
    )
    write(tmp_path, "other", on_gpus(other(*ALONE), "xy"))
    profiles = load_results(tmp_path, lambda text: None)
    assert [profile.shared_hosts for profile in profiles] == [{}, {}]


def test_profiles_without_gpus_are_not_known_to_share_a_host(tmp_path: Path):
    write(tmp_path, "one", ran(result(gpus=2, gpu_name=None), *ALONE))
    write(tmp_path, "two", ran(result(gpus=3, gpu_name=None), *ALONE))
    profiles = load_results(tmp_path, lambda text: None)
    assert [profile.shared_hosts for profile in profiles] == [{}, {}]


@pytest.mark.parametrize(
    ("gpus", "numbers"),
    [
        (["a", "b", "a"], [2, 1, 2]),
        (["a", "b", "ab"], [2, 2, 2]),
        (["ab", "bc", "cd", "x"], [2, 2, 2, 3]),
    ],
)
def test_profiles_with_a_common_gpu_are_of_one_cluster(gpus, numbers):
    assert clusters([on_gpus(result(gpus=2), g)] for g in gpus) == numbers


def test_a_repeat_that_shared_its_host_is_told_of_the_case(tmp_path: Path):
    first = ran(result(gpus=2), "09:00:00", "09:01:00")
    second = ran(result(gpus=2, repeat=2), *ALONE)
    write(tmp_path, "slurm", first, second, other(*ALONE))
    (table,) = select_tables(grid("task4"), load_results(tmp_path, lambda text: None))
    assert len(table.results[0].jobs) == 2
    assert disturbances(table.results[0]) == ["ran beside another job on host node1"]


def test_jobs_of_one_slurm_array_that_follow_one_another_are_alone():
    starts = range(0, 600, 60)
    jobs = [
        ran(result(gpus=2, repeat=1 + i), _clock(t), _clock(t + 60), "node1")
        for i, t in enumerate(starts)
    ]
    jobs = [msgspec.structs.replace(job, case_id=job.case.case_id) for job in jobs]
    assert shared(*jobs) == {}
