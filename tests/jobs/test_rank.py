"""How a process that is one of several knows itself, and how its lines are told from others."""

import io
import json
import os
import subprocess
import sys

import pytest

from jobs.worker.meeting import CHOSEN
from jobs.worker.rank import FIRST_NODE, NOWHERE, OF_A_RANK, SECRET, MarkedLines
from study.paths import ROOT

TASK = {
    "SLURM_JOB_ID": "23",
    "SLURM_JOB_NODELIST": "gpu[1-2]",
    "SLURM_JOB_NUM_NODES": "2",
    "SLURM_NTASKS": "16",
    "SLURM_PROCID": "9",
    "SLURM_LOCALID": "1",
    "SLURM_LAUNCH_NODE_IPADDR": "10.0.0.1",
    CHOSEN: "gpu1 20007",
}


@pytest.fixture
def become(run):
    """What a task of Slurm makes of these variables."""

    def become(meeting="", secret="5e" * 32, **variables):
        code = (
            "import json, os; from jobs.slurm.environment import SlurmEnvironment\n"
            "from jobs.worker.meeting import Meeting\n"
            f"SlurmEnvironment().become_rank(Meeting({meeting}), {secret!r})\n"
            "print(json.dumps({**os.environ}))"
        )
        outside = {k: v for k, v in os.environ.items() if k != "OMP_NUM_THREADS"}
        done = run("-c", code, env=outside | TASK | variables)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return become


def meets_at(rank):
    return rank["MASTER_ADDR"], int(rank["MASTER_PORT"])


def test_a_task_of_slurm_knows_its_place_and_where_all_meet(become):
    rank = become()
    assert (rank["RANK"], rank["WORLD_SIZE"]) == ("9", "16")
    assert (rank["LOCAL_RANK"], rank["LOCAL_WORLD_SIZE"]) == ("1", "8")
    assert meets_at(rank) == ("gpu1", 20007)
    assert rank[FIRST_NODE] == "10.0.0.1"
    assert NOWHERE not in rank


def test_what_the_site_says_counts_most(become):
    there = {"MASTER_ADDR": "10.1.1.1", "MASTER_PORT": "4242"}
    assert meets_at(become(**there)) == ("10.1.1.1", 4242)
    assert meets_at(become(MASTER_ADDR="10.1.1.1")) == ("10.1.1.1", 20007)
    assert meets_at(become(MASTER_PORT="4242")) == ("gpu1", 4242)
    assert NOWHERE not in become(**there, **{CHOSEN: "error: no"})


def test_what_the_sites_python_prints_beside_counts_for_nothing(become):
    assert meets_at(become(**{CHOSEN: "Loading pytorch/2.13\n\ngpu1-ib0 20008\n"})) == (
        "gpu1-ib0",
        20008,
    )


def test_why_ranks_cannot_meet_is_handed_on(become):
    rank = become(**{CHOSEN: "error: no port of 1-2 is free"})
    assert rank[NOWHERE] == "no port of 1-2 is free"
    assert "MASTER_ADDR" not in rank


@pytest.mark.parametrize("chosen", ["", "python: command not found", "gpu1"])
def test_where_nothing_was_chosen_all_ranks_of_a_job_find_the_same_place(become, chosen):
    nothing = {CHOSEN: chosen}
    meeting = "suffix='-ib0', first_port=30000, last_port=30999"
    address, port = meets_at(become(meeting, **nothing))
    assert (address, port in range(30000, 31000)) == ("gpu1-ib0", True)
    assert meets_at(become(meeting, SLURM_PROCID="0", **nothing)) == (address, port)
    array = nothing | {"SLURM_ARRAY_JOB_ID": "17"}
    others = [
        become(meeting, "e5" * 32, **nothing),
        become(meeting, SLURM_RESTART_COUNT="1", **nothing),
        *(become(meeting, SLURM_ARRAY_TASK_ID=str(n), **array) for n in range(2)),
    ]
    assert len({port, *(meets_at(other)[1] for other in others)}) == 5


def test_ranks_of_one_node_meet_where_no_other_node_reaches_them(become):
    one = {"SLURM_JOB_NUM_NODES": "1"}
    assert meets_at(become(**one)) == ("127.0.0.1", 20007)
    assert meets_at(become(**one, MASTER_ADDR="10.1.1.1")) == ("10.1.1.1", 20007)
    assert become("interface='ib0'", **one, **{CHOSEN: ""})["MASTER_ADDR"] == "127.0.0.1"


def test_the_ranks_of_an_attempt_have_a_secret_that_no_others_have(become):
    ours = become()[SECRET]
    assert len(bytes.fromhex(ours)) == 32
    assert become(SLURM_PROCID="0", SLURM_LOCALID="0")[SECRET] == ours
    others = [
        become(secret="e5" * 32),
        become(SLURM_RESTART_COUNT="1"),
        become(SLURM_JOB_ID="24"),
        *(become(SLURM_ARRAY_JOB_ID="17", SLURM_ARRAY_TASK_ID=str(n)) for n in range(2)),
    ]
    assert len({ours, "5e" * 32, *(other[SECRET] for other in others)}) == 7


def test_a_batch_of_an_earlier_version_gives_its_ranks_no_secret(become):
    assert SECRET not in become(secret="", **{SECRET: "left over"})


def test_the_address_of_an_interface_is_not_guessed(become):
    assert "interface ib0 is not known" in become("interface='ib0'", **{CHOSEN: ""})[NOWHERE]
    there = {CHOSEN: "", "MASTER_ADDR": "10.1.1.1"}
    assert become("interface='ib0'", **there)["MASTER_ADDR"] == "10.1.1.1"


def test_what_the_shell_knows_of_other_ranks_does_not_matter(become):
    assert become(**dict.fromkeys(OF_A_RANK, "7"))["RANK"] == "9"


@pytest.mark.parametrize(
    ("names", "first"),
    [
        ("gpu1", "gpu1"),
        ("gpu1,gpu2", "gpu1"),
        ("gpu[007-012,020]", "gpu007"),
        ("r[1-2]n[07-09,12]-a,x3", "r1n07-a"),
        ("a-b,gpu[1-2]", "a-b"),
    ],
)
def test_the_first_node_is_read_from_slurms_list(become, names, first):
    assert become(SLURM_JOB_NODELIST=names, **{CHOSEN: ""})["MASTER_ADDR"] == first


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


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
@pytest.mark.parametrize("rank", [0, 3])
def test_a_line_reaches_slurm_in_one_piece_so_that_no_other_line_comes_between(rank, stream):
    # What is read of such a pipe at a time is what was written at a time.
    reads, writes = os.pipe2(os.O_DIRECT)
    code = (
        f"import sys; from jobs.worker.rank import mark_lines; mark_lines({rank})\n"
        f"print('timing', 1, file=sys.{stream}); sys.{stream}.write('the end')"
    )
    subprocess.run([sys.executable, "-u", "-c", code], cwd=ROOT, check=True, **{stream: writes})
    os.close(writes)
    mark = f"[rank {rank}] " if rank else ""
    assert os.read(reads, 4096).decode() == f"{mark}timing 1\n"
    os.close(reads)
