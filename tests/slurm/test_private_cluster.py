"""The private cluster is for its own machine: nobody else reaches it, or reads its secrets."""

import os
import socket
import stat
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from study.paths import ROOT
from tests.cluster import cluster as private
from tests.cluster.cluster import NUMBER, make_cluster
from tests.slurm.desk import as_root, wait_until

pytestmark = as_root
LISTENING = "0A"  # TCP_LISTEN of Linux, as /proc/net/tcp shows it


def listeners(folder: Path) -> dict[str, set[str]]:
    """The addresses at which processes of the cluster in this folder listen, by program."""
    addresses = dict(_listening_sockets())
    found: dict[str, set[str]] = {}
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has ended
            words = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
            if bytes(folder) + b"/" not in words:
                continue
            links = [os.readlink(handle) for handle in (process / "fd").iterdir()]
            here = {addresses[link] for link in links if link in addresses}
            found.setdefault((process / "comm").read_text().strip(), set()).update(here)
    return {program: here for program, here in found.items() if here}


def _listening_sockets() -> Iterator[tuple[str, str]]:
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with suppress(FileNotFoundError):  # a machine without IPv6
            for line in Path(table).read_text().splitlines()[1:]:
                fields = line.split()
                if fields[3] == LISTENING:
                    yield f"socket:[{fields[9]}]", _address(fields[1].partition(":")[0])


def _address(digits: str) -> str:
    """The address of which the kernel prints words of 32 bits, in this machine's byte order."""
    words = [int(digits[i : i + 8], 16) for i in range(0, len(digits), 8)]
    family = socket.AF_INET if len(words) == 1 else socket.AF_INET6
    return socket.inet_ntop(family, struct.pack(f"={len(words)}I", *words))


def check_loopback(folder: Path, *programs: str) -> None:
    """All these programs listen, and whatever listens does so on loopback alone."""
    wait_until(lambda: set(programs) <= set(listeners(folder)))
    found = listeners(folder)
    assert {a for here in found.values() for a in here} <= {"127.0.0.1", "::1"}, found


def test_it_listens_on_loopback_alone_also_while_a_job_runs(cluster, tmp_path):
    job = cluster.run(
        *("sbatch", "--parsable", "--nodes=2", f"--output={tmp_path}/log"),
        "--wrap=srun --ntasks-per-node=1 sleep 300",
    ).strip()
    try:
        database = ("slurmdbd",) if cluster.accounting else ()
        check_loopback(cluster.folder, "slurmctld", "slurmd", "srun", *database)
        assert "mariadbd" not in listeners(cluster.folder)  # it has a socket file
    finally:
        cluster.run("scancel", job)


def test_where_the_machines_name_leads_elsewhere_it_listens_on_loopback_all_the_same(tmp_path):
    other = make_cluster(NUMBER + 300, accounting=False)
    action = f"make_cluster({NUMBER + 300}, accounting=False).up()"
    code = f"from tests.cluster.cluster import make_cluster; {action}"
    renamed = ("unshare", "--uts", "sh", "-c", 'hostname name.invalid && exec "$@"', "sh")
    if subprocess.run([*renamed, "true"], capture_output=True).returncode != 0:
        pytest.skip("this machine does not let its name be changed for a test")
    try:
        subprocess.run([*renamed, sys.executable, "-c", code], cwd=ROOT, check=True, timeout=300)
        log = tmp_path / "log"
        other.run("sbatch", "--wait", f"--output={log}", "--wrap=srun hostname")
        assert log.read_text() == "localhost\n"
        check_loopback(other.folder, "slurmctld", "slurmd")
    finally:
        other.down()


def test_a_machine_whose_name_leads_elsewhere_and_stays_is_told_what_to_do(monkeypatch):
    monkeypatch.setattr(socket, "gethostname", lambda: "name.invalid")
    monkeypatch.setattr(private, "IN_NAMESPACE", ("false",))
    problem = private.PLAIN.why_impossible()
    assert problem.startswith("name.invalid does not lead to 127.0.0.1, where Slurm is to listen")
    assert problem.endswith("write `127.0.0.1 name.invalid` as the first line of /etc/hosts")


def test_secrets_are_for_root_and_nobody_else_may_write_anything(cluster):
    modes = {}
    for path in [cluster.folder, *cluster.folder.rglob("*")]:
        with suppress(FileNotFoundError):  # the daemons replace their files meanwhile
            modes[path] = path.lstat().st_mode
    closed = [cluster.folder / name for name in ("private", "state", "dev")]
    closed += [cluster.folder / "mysql"] if cluster.accounting else []
    assert {stat.S_IMODE(modes[folder]) for folder in closed} == {0o700}
    open_to_all = {path for path, mode in modes.items() if mode & 0o002 and not stat.S_ISSOCK(mode)}
    assert [path for path in open_to_all if not any(map(path.is_relative_to, closed))] == []
    secrets = ["private/munge.key", *(["slurmdbd.conf"] if cluster.accounting else [])]
    for name in secrets:
        assert stat.S_IMODE(modes[cluster.folder / name]) == 0o600


def test_a_secret_is_never_readable_by_others_not_even_while_it_is_written(tmp_path, monkeypatch):
    before = os.umask(0)
    try:
        monkeypatch.setattr(os, "fchmod", lambda handle, mode: None)
        for mode in (0o600, 0o644):
            private._write(tmp_path / f"{mode}", b"secret", mode)
            assert stat.S_IMODE((tmp_path / f"{mode}").stat().st_mode) == 0o600
    finally:
        os.umask(before)


def test_nodes_that_are_not_shared_run_one_job_each_whose_step_has_no_more_gpus_than_asked_for(
    cluster, tmp_path
):
    gpus = (
        "--gres=gpu:1",
        f"--output={tmp_path}/%j",
        "--wrap=srun printenv CUDA_VISIBLE_DEVICES; sleep 300",
    )
    cluster.share_nodes(False)
    jobs = [cluster.run("sbatch", "--parsable", *gpus).strip() for _ in range(3)]
    try:

        def states():
            asked = ("squeue", f"--jobs={','.join(jobs)}", "--noheader", "--format=%T %r")
            return sorted(cluster.run(*asked).splitlines())

        alone = ["PENDING Resources", "RUNNING None", "RUNNING None"]
        wait_until(lambda: states() == alone)
        written = [tmp_path / job for job in jobs]
        wait_until(lambda: [p.read_text() for p in written if p.exists()] == ["0\n", "0\n"])
    finally:
        cluster.share_nodes()
        cluster.run("scancel", *jobs)
    assert "OverSubscribe=NO" in cluster.run("scontrol", "show", "partition", "gpu")
