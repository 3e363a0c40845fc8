"""A process for each GPU: one that ends takes the case down with it, by name, and soon."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from mp.launcher import launcher as ranks_module
from mp.launcher.failure_files import FOLDER, is_rank
from mp.launcher.launcher import start_ranks
from mp.rendezvous.secret import SECRET
from tests.conftest import PATIENCE_S, ROOT
from tests.mp.listening_sockets import LOOPBACK, listened_at_by

pytestmark = pytest.mark.long

CASE = ["--schedule", "1f1b", "--depth", "6", "--micro-batches", "6"]
CASE += ["--dim", "64", "--batch-size", "48"]
HOW = ["--device", "cpu", "--warmup-steps", "1", "--steps", "1000000", "--ci-half-width", "0"]
CASE += HOW


def ranks_of(parent: int) -> dict[int, int]:
    """The processes that this one has started, by rank."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            stat = (folder / "stat").read_text().rpartition(")")[2].split()
            environment = (folder / "environ").read_bytes().decode().split("\0")
        except OSError:
            continue
        if int(stat[1]) == parent:
            found |= {int(v[5:]): int(folder.name) for v in environment if v.startswith("RANK=")}
    return found


@contextmanager
def lasting_case(ranks, case=CASE):
    """A case of so many ranks that would go on for long, once it is timing steps."""
    command = [sys.executable, "-W", "ignore", "-m", "mp", *case, "--gpus", f"{ranks}"]
    command += ["--time-limit-s", "3600"]
    child = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    for line in child.stderr:
        if line.startswith("timing"):
            break
    try:
        yield child
    finally:
        child.kill()
        child.communicate()


@pytest.fixture
def running():
    """A case of two ranks of its own, to be disturbed."""
    with lasting_case(2) as case:
        yield case


@dataclass
class Seen:
    """A case of three ranks: what was seen while it ran, and after its last rank was killed."""

    listened_at: set[str]
    secrets: set[str]
    modes: set[int]
    command_lines: str
    output: str
    errors: str
    exit_code: int
    left: dict[int, int]


@pytest.fixture(scope="module")
def seen():
    """Return what was seen of one case whose rank 2 was killed."""
    with lasting_case(3) as case:
        ranks = ranks_of(case.pid)
        assert sorted(ranks) == [0, 1, 2]
        folders = [Path(f"/proc/{pid}") for pid in ranks.values()]
        variables = [v for f in folders for v in (f / "environ").read_text().split("\0")]
        looked = (
            {at for pid in ranks.values() for at in listened_at_by(pid)},
            {v.removeprefix(f"{SECRET}=") for v in variables if v.startswith(f"{SECRET}=")},
            {(f / "environ").stat().st_mode & 0o077 for f in folders},
            "".join((f / "cmdline").read_text() for f in folders),
        )
        os.kill(ranks[2], signal.SIGKILL)
        said = case.communicate(timeout=PATIENCE_S)
        return Seen(*looked, *said, case.returncode, ranks_of(case.pid))


def test_a_killed_rank_ends_the_case_and_is_named(seen):
    result = json.loads(seen.output)
    assert (result["outcome"], result["measurement"]) == ("error", None)
    assert result["error"]["message"].startswith("rank 2 on ")
    assert result["error"]["message"].endswith("ended by signal SIGKILL")
    assert seen.exit_code == 1
    assert seen.left == {}


def test_a_rank_that_is_lost_while_the_others_reduce_is_named_within_30_s():
    """It stands still, so that the other waits in a collective, and is then killed."""
    keys = ["--schedule", "ddp", "--depth", "4", "--dim", "64"]
    with lasting_case(2, [*keys, "--batch-size", "48", *HOW]) as case:
        ranks = ranks_of(case.pid)
        os.kill(ranks[1], signal.SIGSTOP)
        time.sleep(0.5)  # many steps
        began = time.monotonic()
        os.kill(ranks[1], signal.SIGKILL)
        output, _ = case.communicate(timeout=PATIENCE_S)
        assert time.monotonic() - began < 30
        result = json.loads(output)
        assert (result["outcome"], result["measurement"]) == ("error", None)
        assert re.fullmatch("rank 1 on .*: ended by signal SIGKILL", result["error"]["message"])
        assert ranks_of(case.pid) == {}
        assert not any(Path(f"/proc/{pid}").exists() for pid in ranks.values())


def test_ranks_listen_where_no_other_machine_reaches_them(seen):
    assert seen.listened_at
    assert seen.listened_at <= LOOPBACK


def test_the_secret_of_ranks_is_in_their_environment_and_nowhere_else(seen):
    (secret,) = seen.secrets
    assert len(bytes.fromhex(secret)) == 32
    assert seen.modes == {0}
    assert secret not in seen.command_lines + seen.output + seen.errors


def test_a_first_rank_that_is_killed_leaves_a_result_all_the_same(running):
    ranks = ranks_of(running.pid)
    os.kill(ranks[0], signal.SIGKILL)
    output, _ = running.communicate(timeout=PATIENCE_S)
    result = json.loads(output)
    assert (result["outcome"], result["measurement"]) == ("error", None)
    assert re.fullmatch("rank 0 on .*: ended by signal SIGKILL", result["error"]["message"])
    assert running.returncode == 1
    assert ranks_of(running.pid) == {}


def ranks_that_run(text, tmp_path, monkeypatch):
    """What is lost where two ranks run this, and the first is waited for but for half a second."""
    script = tmp_path / "script.py"
    script.write_text(f"import os, sys, time\nsys.path.insert(0, {str(ROOT)!r})\n{text}")
    monkeypatch.setattr(ranks_module, "GRACE_S", 0.5)
    monkeypatch.setattr(sys, "orig_argv", [sys.executable, str(script)])
    losses = []
    assert start_ranks(2, losses.append) == 1
    return losses


def test_a_first_rank_that_stands_still_is_named_by_the_one_that_missed_it(tmp_path, monkeypatch):
    text = (
        "from mp.launcher.failure_files import write_failure\n"
        "if os.environ['RANK'] == '0':\n"
        "    time.sleep(600)\n"
        "write_failure('missed', (0, 'fell silent'))\n"
        "sys.exit(1)\n"
    )
    assert ranks_that_run(text, tmp_path, monkeypatch) == [(0, "fell silent")]


def test_a_rank_that_dies_before_the_first_has_started_is_named(tmp_path, monkeypatch, capfd):
    """Here the first rank sleeps and never comes so far as to tell anything."""
    text = "sys.exit(3) if os.environ['RANK'] == '1' else time.sleep(600)\n"
    losses = ranks_that_run(text, tmp_path, monkeypatch)
    assert losses == [(1, "ended with exit code 3")]
    assert "mpbench: job failed: rank 1 ended with exit code 3" in capfd.readouterr().err


@pytest.mark.parametrize("left", ["/nowhere", "1:/nowhere", ""])
def test_a_variable_that_another_process_left_makes_no_rank(monkeypatch, left):
    monkeypatch.setenv(FOLDER, left)
    assert not is_rank()
    monkeypatch.setenv(FOLDER, f"{os.getppid()}:/nowhere")
    assert is_rank()


def test_who_is_told_to_end_leaves_no_folder_behind(tmp_path):
    command = [sys.executable, "-m", "mp", *CASE, "--gpus", "2", "--time-limit-s", "3600"]
    environment = dict(os.environ) | {"TMPDIR": str(tmp_path)}
    child = subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True)
    assert any(line.startswith("check") for line in child.stderr)
    assert len(list(tmp_path.glob("mpbench-*"))) == 1
    child.terminate()
    child.communicate(timeout=PATIENCE_S)
    assert child.returncode == 128 + signal.SIGTERM
    assert list(tmp_path.glob("mpbench-*")) == []


def test_a_rank_that_dies_at_the_very_end_takes_no_result_with_it(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "import os, runpy, signal, sys, time\n"
        f"sys.path.insert(0, {str(ROOT)!r})\n"
        "def die(world):\n"
        "    time.sleep(3)  # the first rank is at its end, too, by then\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "if os.environ.get('RANK') == '1':\n"
        "    from mp.distributed.world import World\n"
        "    World.shutdown = die\n"
        "runpy.run_module('mp', run_name='__main__', alter_sys=True)\n"
    )
    done = subprocess.run(
        [sys.executable, str(script), *SMALL, "--schedule", "gpipe", "--steps", "3"],
        cwd=ROOT,
        capture_output=True,
        timeout=PATIENCE_S,
    )
    assert json.loads(done.stdout)["outcome"] == "ok"


def test_what_the_first_rank_has_told_is_not_told_again(tmp_path, monkeypatch):
    text = "import mp.launcher.failure_files as f\nf.mark_result_written()\nsys.exit(1)\n"
    assert ranks_that_run(text, tmp_path, monkeypatch) == []


def test_all_ranks_end_with_the_process_that_started_them(running):
    ranks = ranks_of(running.pid)
    running.kill()
    running.wait()
    patience = time.monotonic() + PATIENCE_S
    while any(Path(f"/proc/{process}").exists() for process in ranks.values()):
        assert time.monotonic() < patience
        time.sleep(0.1)


def test_ranks_that_are_not_those_of_the_case_are_told_so():
    odd = {"RANK": "0", "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "1"}
    odd |= {FOLDER: f"{os.getpid()}:/nowhere"}
    command = [sys.executable, "-m", "mp", *CASE, "--gpus", "3"]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=dict(os.environ) | odd,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )
    assert done.returncode == 1
    assert "WORLD_SIZE: 2 processes for 3 GPUs; start one for each" in done.stderr
    assert "Traceback" not in done.stderr


SMALL = ["--gpus", "2", "--depth", "2", "--dim", "8", "--batch-size", "4", "--device", "cpu"]
SMALL += ["--warmup-steps", "1"]


@pytest.mark.parametrize("schedule", ["naive", "gpipe"])
def test_variables_that_something_else_left_in_the_shell_count_for_nothing(schedule, tmp_path):
    left = {"RANK": "1", "WORLD_SIZE": "4", "MASTER_PORT": "1", "LOCAL_RANK": "x"}
    left |= {FOLDER: f"1:{tmp_path}"}
    command = [sys.executable, "-m", "mp", *SMALL, "--schedule", schedule, "--steps", "3"]
    done = subprocess.run(
        command, cwd=ROOT, env=dict(os.environ) | left, capture_output=True, timeout=PATIENCE_S
    )
    assert json.loads(done.stdout)["outcome"] == "ok"
    assert list(tmp_path.iterdir()) == []


def test_more_processes_than_a_machine_can_hold_are_refused():
    command = [
        sys.executable,
        "-m",
        "mp",
        "--schedule",
        "gpipe",
        "--gpus",
        "4096",
        "--depth",
        "4096",
    ]
    command += ["--dim", "8", "--batch-size", "8"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_S)
    assert (done.returncode, done.stdout) == (2, "")
    assert re.fullmatch(
        r"error: gpus: 4096 processes are too many; \d+ CPUs hold at most \d+\n", done.stderr
    )


def test_a_closed_stdout_is_said_before_anything_is_measured():
    command = shlex.join([sys.executable, "-m", "mp", *SMALL, "--schedule", "gpipe"])
    done = subprocess.run(
        ["sh", "-c", f"{command} >&-"],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
        timeout=PATIENCE_S,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("error: stdout: is closed")


def test_an_interrupt_is_one_word(running):
    running.send_signal(signal.SIGINT)
    _, errors = running.communicate(timeout=PATIENCE_S)
    assert running.returncode == 1
    assert errors.splitlines()[-1] == "Interrupted."
    assert "Traceback" not in errors
