"""How a process that is one of several knows itself, and how its lines are told from others."""

import io
import json
import os

import pytest

from jobs.rank import VARIABLES, MarkedLines

TASK = {
    "SUBMITIT_EXECUTOR": "slurm",
    "SLURM_JOB_ID": "23",
    "SLURM_JOB_NODELIST": "gpu[1-2]",
    "SLURM_JOB_NUM_NODES": "2",
    "SLURM_NODEID": "1",
    "SLURM_NTASKS": "16",
    "SLURM_PROCID": "9",
    "SLURM_LOCALID": "1",
}


@pytest.fixture
def become(run):
    """What a task of Slurm makes of these variables."""

    def become(**variables):
        code = (
            "import json, os, jobs.rank; jobs.rank.become_rank(); print(json.dumps({**os.environ}))"
        )
        return json.loads(run("-c", code, env=os.environ | TASK | variables).stdout)

    return become


def test_a_task_of_slurm_knows_its_place_and_where_all_meet(become):
    rank = become()
    assert (rank["RANK"], rank["WORLD_SIZE"]) == ("9", "16")
    assert (rank["LOCAL_RANK"], rank["LOCAL_WORLD_SIZE"]) == ("1", "8")
    assert rank["MASTER_ADDR"] == "gpu1"
    assert {become(SLURM_PROCID=str(n))["MASTER_PORT"] for n in (0, 15)} == {rank["MASTER_PORT"]}


def test_the_elements_of_an_array_meet_at_ports_of_their_own(become):
    array = {"SLURM_ARRAY_JOB_ID": "17"}
    ports = {become(SLURM_ARRAY_TASK_ID=str(n), **array)["MASTER_PORT"] for n in range(3)}
    assert len(ports) == 3


def test_what_the_shell_knows_of_other_ranks_does_not_matter(become):
    assert become(**dict.fromkeys(VARIABLES, "7"))["RANK"] == "9"


def test_a_rank_has_as_many_threads_as_its_task_has_cpus(become):
    assert become(SLURM_CPUS_PER_TASK="6")["OMP_NUM_THREADS"] == "6"
    assert become(SLURM_CPUS_PER_TASK="6", OMP_NUM_THREADS="2")["OMP_NUM_THREADS"] == "2"


def test_every_line_of_a_rank_is_marked_and_written_whole():
    written = []
    stream = io.StringIO()
    stream.write = written.append
    print("one", 1, file=MarkedLines(stream, "[rank 3] "))
    MarkedLines(stream, "[rank 3] ").write("two\nthree")
    assert written == ["[rank 3] one 1\n", "[rank 3] two\n"]
