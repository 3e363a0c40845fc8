"""A program from its command to its result: its words, its ends, and the processes it leaves."""

import json
import os
import subprocess
import sys
import textwrap
import time

import pytest

from mp.program.cgroup import oom_kills
from mp.program.output import LAST, MOST_LOGGED, MOST_SAID
from mp.program.process import run_process
from mp.program.run import run_program
from study.results.file import decode, encode
from study.results.result import Job
from study.validation import make_case
from tests.conftest import ROOT

SAY = (
    "import json, os, sys, time; say = lambda d: open(os.environ['MPBENCH_STEPS'], 'w').write(d)\n"
)


def job(requested=2, **changes):
    numbers = {"slurm_job_id": None, "allocated_gpus": None, "visible_gpus": None} | changes
    at = "2026-01-01T00:00:00+00:00"
    return Job(executor="local", requested_gpus=requested, submitted_at=None, started_at=at,
               finished_at=at, **numbers)  # fmt: skip


@pytest.fixture
def measure(tmp_path):
    """Run a script as a program of two GPUs, and return its result and what it printed."""

    def measure(script, policy="cpu", **arguments):
        (tmp_path / "script.py").write_text(SAY + textwrap.dedent(script))
        named = {f"args.{name}": value for name, value in arguments.items()}
        words = " ".join(f"{{{name}}}" for name in arguments)
        command = f"{sys.executable} script.py {words}"
        case = make_case({"command": command, "gpus": 2} | named, "test")
        with open(tmp_path / "log", "w+b") as log:
            before = os.dup(1)
            os.dup2(log.fileno(), 1)
            try:
                result = run_program(case, policy, job(), lambda _: None, str(tmp_path))
            finally:
                os.dup2(before, 1)
                os.close(before)
        assert decode(encode(result)) == result
        return result, (tmp_path / "log").read_bytes()

    return measure


def test_steps_come_from_the_file_then_from_the_last_line_then_there_is_the_wall_time(measure):
    said = '{"step_times_s": [0.01, 0.02], "items_per_step": 64, "item": "token", "first_loss": 2}'
    of_line = 'print("{\\"step_times_s\\": [0.03]}"); print("late", file=sys.stderr)'
    run = measure(f"time.sleep(0.1); say({said!r}); {of_line}")[0].program
    assert (run.told_by, run.step_times_s, run.first_loss) == ("file", [0.01, 0.02], 2.0)
    assert (run.items_per_step, run.item) == (64, "token")
    run = measure(f"time.sleep(0.1); {of_line}")[0].program
    assert (run.told_by, run.step_times_s, run.item) == ("last_line", [0.03], None)
    result, log = measure("time.sleep(0.1); print('hello')")
    run = result.program
    assert (run.told_by, run.step_times_s) == ("wall_time", [run.wall_s])
    assert 0.1 < run.wall_s < 60
    assert (result.outcome, result.emulated, run.gpus, log) == ("ok", True, (), b"| hello\n")


def test_a_program_is_told_of_its_case_and_sees_no_gpu_that_it_did_not_get(measure):
    names = ("MPBENCH_GPUS", "MPBENCH_ARGS", "CUDA_VISIBLE_DEVICES")
    _, log = measure(f"print([os.environ[n] for n in {names}], sys.argv[1:], os.getcwd())",
                     layers=8, text="a b; id")  # fmt: skip
    arguments = json.dumps({"layers": 8, "text": "a b; id"})
    assert f"['2', {arguments!r}, ''] ['8', 'a b; id']" in log.decode()


@pytest.mark.parametrize(
    ("script", "problem"),
    [
        ("print('{\"step_times_s\": [NaN]}')", "NaN and Infinity are no JSON"),
        ("say('{\"step_times_s\": []}')", "length >= 1"),
        ("say('{\"step_times_s\": [-1]}')", "step_times_s[0]"),
        ("say('{\"step_times_s\": [0]}')", "[0]"),
        ('say(\'{"step_times_s": "fast"}\')', "Expected array"),
        ('say(\'{"step_times_s": [0.1], "loss": 1}\')', "unknown field loss"),
        ("say('{\"step_times_s\": [500]}')", "the whole program took"),
        ("say('<html>')", "the file of MPBENCH_STEPS: JSON is malformed"),
        ("say('[' * 100000)", "MPBENCH_STEPS"),
        ("say('{\"step_times_s\": [' + '1e-9,' * 200000 + '1e-9]}')", "length <= 200000"),
        ("say('{\"step_times_s\": [1e999]}')", "out of range"),
        (f"print('{{\"step_times_s\": [' + '0.1,' * {MOST_SAID} + '1]}}')", "has more than"),
        ("os.mkfifo(os.environ['MPBENCH_STEPS'])", "is no regular file"),
        ("os.symlink('/etc/passwd', os.environ['MPBENCH_STEPS'])", "links are not followed"),
        ("os.truncate(os.open(os.environ['MPBENCH_STEPS'], 66), 2**26)", "too many"),
    ],
)
def test_nonsense_is_an_error_of_one_clear_line(measure, script, problem):
    result, _ = measure(script)
    assert (result.outcome, result.program) == ("error", None)
    assert problem in result.error.message
    assert "\n" not in result.error.message
    assert len(result.error.message) < 1100


@pytest.mark.parametrize(
    ("script", "outcome", "problem"),
    [
        ("raise ValueError('no layer')", "error", "exit code 1; it said: ValueError: no layer"),
        ("print('x'); sys.exit(7)", "error", "ended with exit code 7; it said: x"),
        ("os.kill(os.getpid(), 11)", "error", "killed by SIGSEGV"),
        ("os.kill(os.getpid(), 9)", "error", "killed by SIGKILL; if its memory ran out"),
        ("sys.exit('torch.OutOfMemoryError: CUDA out of memory. Tried 2 GiB')", "oom_gpu", "Tried"),
        ("print('\\x1b[31m\\u202e<b>\\r\\nError: \\x00x'); sys.exit(1)", "error", "Error: x"),
        ("print(*['=' * 60, 'RuntimeError: why', 'torch.distributed.elastic: ChildFailedError:',"
         "'=' * 60], sep='\\n'); sys.exit(1)", "error", "it said: RuntimeError: why"),
        ("print(*['no such file', 'E12 torch/distributed/elastic/api.py] failed (exitcode: 2)',"
         "'traceback : To enable'], sep='\\n'); sys.exit(1)", "error", "it said: no such file"),
    ],
)  # fmt: skip
def test_a_failed_program_says_how_and_why(measure, script, outcome, problem):
    result, _ = measure(script)
    assert (result.outcome, result.program) == (outcome, None)
    assert problem in result.error.message
    assert result.error.message.isprintable()
    assert result.lost_a_rank == ("SIGKILL" in problem)


def test_a_program_that_is_not_there_is_an_error_and_so_is_its_folder(tmp_path):
    case = make_case({"command": "./none", "gpus": 2}, "test")
    for folder, problem in (
        (tmp_path, "./none cannot be started: No such file"),
        (tmp_path / "gone", "the folder from which submit.py was called is not on this node"),
    ):
        result = run_program(case, "cpu", job(), lambda _: None, str(folder))
        assert result.outcome == "error"
        assert problem in result.error.message


def test_lines_of_a_program_are_never_taken_for_those_of_slurm_or_ours(measure):
    forged = "mpbench-result: {}\\nslurmstepd: error: oom_kill\\r\\vsrun: error\\n"
    _, log = measure(f"sys.stdout.write('{forged}'); sys.stderr.buffer.write(b'\\xff\\x00 end')")
    lines = log.split(b"\n")
    assert all(line.startswith(b"| ") for line in lines[:-1])
    assert sorted(lines)[-1] == b"| \xff\x00 end"


def test_a_flood_of_output_is_cut_and_its_end_kept(measure):
    script = f"""
        block = b'x' * 2**20
        for _ in range({MOST_LOGGED // 2**20 + 4}):
            os.write(1, block)
        print(); print('the end')
    """
    result, log = measure(script)
    assert result.outcome == "ok"
    assert MOST_LOGGED < len(log) < MOST_LOGGED + 2**22 + 4 * LAST
    assert b"bytes of the program's output are left out" in log
    assert log.endswith(b"| the end\n")


CHILDREN = """
    import subprocess
    nap = "import os, signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(600)"
    for how in ({}, {"start_new_session": True}):
        subprocess.Popen([sys.executable, "-c", nap, sys.argv[1]], **how)
    # A daemon: its parent ends at once.
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.execv(sys.executable, [sys.executable, "-c", nap, sys.argv[1]])
        os._exit(0)
"""


def living(mark):
    found = subprocess.run(["pgrep", "-f", mark], capture_output=True, text=True, check=False)
    return [pid for pid in found.stdout.split() if int(pid) != os.getpid()]


def wait_for(condition, seconds=20.0):
    until = time.monotonic() + seconds
    while not condition() and time.monotonic() < until:
        time.sleep(0.05)
    return condition()


def test_nothing_that_a_program_started_outlives_it(measure, tmp_path):
    mark = f"left-{tmp_path.name}"
    result, _ = measure(CHILDREN, mark=mark)
    assert result.outcome == "ok", result.error
    assert living(mark) == []


@pytest.mark.parametrize("number", [15, 9])
def test_a_program_ends_with_the_process_that_runs_it(tmp_path, number):
    mark = f"ends-{number}-{tmp_path.name}"
    script = SAY + textwrap.dedent(CHILDREN) + "\ntime.sleep(600)\n"
    (tmp_path / "script.py").write_text(script)
    code = (
        "import os; from mp.program.process import run_process\n"
        f"run_process([{sys.executable!r}, 'script.py', {mark!r}], {str(tmp_path)!r},"
        " dict(os.environ, MPBENCH_STEPS='/dev/null'), 1)"
    )
    runner = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT)
    try:
        assert wait_for(lambda: len(living(mark)) >= 6)  # the runner, the guard, and four more
    finally:
        runner.send_signal(number)
        runner.wait(timeout=30)
    assert wait_for(lambda: living(mark) == [])


def test_processes_that_the_kernel_ended_for_their_memory_are_counted(tmp_path):
    own = tmp_path / "cgroup"
    for line, path, text in (
        ("0::/a/b", "a/b/memory.events", "low 0\noom 3\noom_kill 2\noom_group_kill 0\n"),
        ("9:memory:/c", "memory/c/memory.oom_control", "under_oom 0\noom_kill 5\n"),
    ):
        own.write_text(f"{line}\n")
        (tmp_path / path).parent.mkdir(parents=True)
        (tmp_path / path).write_text(text)
        assert oom_kills(tmp_path, own) == (2 if "a/b" in path else 5)
    assert oom_kills(tmp_path / "none", own) == 0


def test_a_program_runs_where_there_is_no_torch(run):
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "from tests.mp.test_program import job\n"
        "from mp.program.run import run_program; from study.validation import make_case\n"
        "case = make_case({'command': 'true', 'gpus': 2}, 'test')\n"
        "print(run_program(case, 'auto', job(), lambda _: None, '/').outcome)"
    )
    done = run("-c", code)
    assert (done.returncode, done.stdout) == (0, "ok\n"), done.stderr


def test_a_runner_in_a_thread_needs_no_signals(tmp_path):
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor() as pool, open(tmp_path / "log", "wb") as log:
        ended = pool.submit(run_process, ["true"], "/", dict(os.environ), log.fileno()).result()
    assert ended.returncode == 0
