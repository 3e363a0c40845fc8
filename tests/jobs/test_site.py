"""What a profile says of its site: where ranks meet, which Python runs a job."""

import os
import shlex
import socket
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from jobs.batch import Assignment, read_batch
from jobs.executors import executor_of
from jobs.planned import PlannedCase
from jobs.profiles import choose_profile
from jobs.slurm.sbatch import Request, sbatch_call, worker_command
from jobs.worker.meeting import Meeting
from study.case import Case
from study.errors import ConfigError
from study.paths import ROOT
from study.storage.store import Store
from tests.jobs.test_batches import BATCH

SLURM = "executor: slurm, device: cuda, gpus_per_node: 8"


@pytest.fixture
def profile(tmp_path):
    """Return the profile that has these keys, from a file."""

    def load(keys="", submitit="timeout_min: 5"):
        path = tmp_path / "cluster.yaml"
        entry = ", ".join(filter(None, [SLURM, f"submitit: {{{submitit}}}", keys]))
        path.write_text(f"profiles: {{mine: {{{entry}}}}}\n")
        return choose_profile("mine", path)

    return load


@pytest.mark.parametrize(
    ("keys", "meeting"),
    [
        ("", Meeting()),
        ("rendezvous: {}", Meeting()),
        ("rendezvous: {interface: ib0}", Meeting(interface="ib0")),
        ("rendezvous: {suffix: -ib0}", Meeting(suffix="-ib0")),
        ("rendezvous: {suffix: .cluster.example}", Meeting(suffix=".cluster.example")),
        ("rendezvous: {ports: 20000-60000}", Meeting(first_port=20000, last_port=60000)),
        (
            'rendezvous: {interface: ib0, ports: "4000-4000"}',
            Meeting(interface="ib0", first_port=4000, last_port=4000),
        ),
    ],
)
def test_a_profile_says_where_ranks_meet(profile, keys, meeting):
    assert profile(keys).meeting() == meeting


@pytest.mark.parametrize(
    ("rendezvous", "complaint"),
    [
        ("ib0", "rendezvous: 'ib0' is not a mapping"),
        ("{nic: ib0}", "rendezvous: unknown key 'nic'; known keys: interface, suffix, ports"),
        ("{interface: 0}", "rendezvous.interface: 0 is no name of a network interface; write e.g."),
        ("{interface: ib0; reboot}", "rendezvous.interface: 'ib0; reboot' is no name"),
        (
            "{suffix: null}",
            "rendezvous.suffix: None is no end of a node's name; write e.g. suffix: -ib0",
        ),
        ("{interface: ib0, suffix: -ib0}", "interface and suffix exclude each other; give one"),
        ("{ports: 20000}", "rendezvous.ports: 20000 is no range within 1024-65535; write e.g."),
        ("{ports: 80-90}", "rendezvous.ports: '80-90' is no range within 1024-65535"),
        ("{ports: 30000-20000}", "rendezvous.ports: '30000-20000' is no range"),
        ("{ports: 20000-99999}", "rendezvous.ports: '20000-99999' is no range"),
    ],
)
def test_a_wrong_rendezvous_is_refused_in_one_line(profile, rendezvous, complaint):
    with pytest.raises(ConfigError) as caught:
        profile(f"rendezvous: {rendezvous}")
    assert complaint in str(caught.value)
    assert "profiles.mine" in str(caught.value)


def test_a_job_runs_under_this_python_unless_the_profile_names_another(profile):
    assert profile().python_command() == [sys.executable]
    mine = profile("python: \"apptainer exec --nv 'my torch.sif' python\"")
    assert mine.python_command() == ["apptainer", "exec", "--nv", "my torch.sif", "python"]
    command = worker_command(Path("b.json"), mine)
    assert command == "apptainer exec --nv 'my torch.sif' python -u -m jobs.worker b.json"


@pytest.mark.parametrize(
    ("python", "complaint"),
    [
        ("3", "python: 3 is no text; write e.g. python:"),
        ("[python3, -u]", "is no text"),
        ('"\'torch.sif python"', "no closing quotation; write e.g. python:"),
        ('" "', "python: ' ' is empty; write e.g. python:"),
        ("\"'' python\"", "is empty"),
        ("$SCRATCH/bin/python", "no shell expands $, ` or ~ in it; write the path out"),
        ("~/bin/python", "no shell expands $, ` or ~ in it; write the path out"),
    ],
)
def test_a_wrong_python_is_refused_in_one_line(profile, python, complaint):
    with pytest.raises(ConfigError) as caught:
        profile(f"python: {python}")
    assert complaint in str(caught.value)
    assert "profiles.mine" in str(caught.value)


def test_local_jobs_have_neither_key(tmp_path):
    path = tmp_path / "cluster.yaml"
    for key in ("python: python3", "rendezvous: {suffix: -ib0}"):
        path.write_text(f"profiles: {{mine: {{executor: local, device: cpu, {key}}}}}\n")
        with pytest.raises(ConfigError, match="is for executor: slurm; remove it"):
            choose_profile("mine", path)


def script(mine, in_processes, tmp_path):
    request = Request(4, 1, "a", in_processes=in_processes)
    return sbatch_call(request, "c", BATCH, mine, Store(tmp_path, "mine")).script("run it")


def test_only_a_job_with_ranks_chooses_where_to_meet_after_the_sites_own_lines(profile, tmp_path):
    mine = profile(
        "python: module-python3, rendezvous: {interface: ib0, ports: 4000-5000}",
        'timeout_min: 5, slurm_setup: ["module load pytorch"]',
    )
    options = "-m jobs.rendezvous --interface=ib0 --ports=4000-5000"
    line = f'export MPBENCH_RENDEZVOUS="$(module-python3 {options} || python3 {options})"'
    text = script(mine, True, tmp_path)
    assert f"# setup\nmodule load pytorch\n{line}\n\n# command\n" in text
    assert "jobs.rendezvous" not in script(mine, False, tmp_path)


def test_where_to_meet_travels_in_the_batch_and_batches_of_before_stay_readable(profile, tmp_path):
    store = Store(tmp_path, "mine")
    store.prepare()
    item = PlannedCase(case=Case(depth=2, gpus=2), grid="g", overrides={}, trace=False)
    mine = profile("rendezvous: {suffix: -ib0, ports: 4000-5000}")
    path, _ = executor_of(mine, store).write_batch([item])
    assert read_batch(path)[0].meeting == Meeting(suffix="-ib0", first_port=4000, last_port=5000)
    before = msgspec.json.decode(path.read_bytes())
    del before[0]["meeting"]
    path.write_bytes(msgspec.json.encode(before))
    assert read_batch(path)[0].meeting == Meeting()
    assert isinstance(read_batch(path)[0], Assignment)


def rendezvous(*options):
    command = [sys.executable, "-m", "jobs.rendezvous", *options]
    env = os.environ | {"SLURMD_NODENAME": "gpu1"}
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.strip()


def test_the_first_node_chooses_its_name_or_an_interfaces_address():
    assert rendezvous("--ports=4000-4001") in ("gpu1 4000", "gpu1 4001")
    assert rendezvous("--ports=4000-4001", "--suffix=-ib0").startswith("gpu1-ib0 400")
    assert rendezvous("--ports=4000-4001", "--interface=lo").startswith("127.0.0.1 400")


def test_an_interface_that_is_not_there_is_named_with_those_that_are():
    said = rendezvous("--ports=4000-4001", "--interface=ib7")
    assert said.startswith("error: rendezvous: gpu1 has no interface ib7; it has: ")
    assert "lo" in said


def test_a_port_in_use_is_not_chosen():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert rendezvous(f"--ports={port}-{port}").startswith(f"error: no port of {port}-{port}")


def test_the_choice_needs_no_package():
    source = (ROOT / "jobs/rendezvous.py").read_text()
    code = f"import sys; sys.path[:] = [p for p in sys.path if 'site-packages' not in p]\n{source}"
    command = [sys.executable, "-I", "-S", "-c", code, "--ports=4000-5000"]
    assert subprocess.run(command, capture_output=True, timeout=60).returncode == 0


def test_the_line_of_the_script_is_quoted_for_the_shell(profile, tmp_path):
    mark = tmp_path / "it's a mark"
    python = shlex.join(["touch", str(mark)])
    text = script(profile(f"python: {msgspec.json.encode(python).decode()}"), True, tmp_path)
    (line,) = (line for line in text.splitlines() if "jobs.rendezvous" in line)
    touched = line.replace(" -m jobs.rendezvous --ports=20000-32767", "")
    subprocess.run(["sh", "-c", touched], stdin=subprocess.DEVNULL, check=True)
    assert mark.exists()
