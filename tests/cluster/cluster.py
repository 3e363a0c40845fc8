"""A private Slurm for tests and for trying out: `python cluster.py up | down | status`.

Needs root, and slurmctld, slurmd and munged (Debian: slurmctld slurmd slurm-client munge). Its
GPUs are pretended: devices that Slurm counts and hands out, and that nothing can compute on.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

TEMPLATES = Path(__file__).resolve().parent
DIR = Path("/var/lib/mpbench-slurm")
CONF = DIR / "slurm.conf"
SYSTEM_CONF = Path("/etc/slurm/slurm.conf")
NODES = ("gpu1", "gpu2")
PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "scontrol", "mknod")
PATIENCE_S = 30.0


def why_impossible() -> str | None:
    """Why no cluster can be started here, or None."""
    if os.geteuid() != 0:
        return "starting Slurm needs root"
    missing = [program for program in PROGRAMS if shutil.which(program, path=_path()) is None]
    return f"not installed: {', '.join(missing)} (`make slurm` installs them)" if missing else None


def is_up() -> bool:
    """Whether both nodes of our cluster can take jobs."""
    if not CONF.exists() or shutil.which("sinfo") is None:
        return False
    states = _ask("sinfo", "--noheader", "--Node", "--format=%T").split()
    return len(states) == len(NODES) and set(states) <= {"idle", "mixed", "allocated"}


def up() -> None:
    """Start the daemons and wait until both nodes can take jobs."""
    if is_up():
        return
    down()
    _write_configuration()
    _start_munge()
    _run("slurmctld", "-f", str(CONF))
    for node in NODES:
        _run("slurmd", "-N", node, "-f", str(CONF))
    if not _becomes_true(is_up, PATIENCE_S):
        sys.exit(f"error: the nodes did not come up; see {DIR}/*.log")
    _offer_configuration()


def down() -> None:
    """Stop the daemons by their own pid files and remove everything they wrote."""
    if CONF.exists() and shutil.which("scancel"):
        subprocess.run(["scancel", "--user=root"], env=_environment(), capture_output=True)
    for name in (*(f"slurmd.{node}" for node in NODES), "slurmctld", "munged"):
        _stop(DIR / f"{name}.pid")
    if SYSTEM_CONF.is_symlink() and SYSTEM_CONF.readlink() == CONF:
        SYSTEM_CONF.unlink()
    shutil.rmtree(DIR, ignore_errors=True)


def _write_configuration() -> None:
    (DIR / "dev").mkdir(parents=True)
    (DIR / "state").mkdir()
    for name in ("slurm.conf", "gres.conf", "cgroup.conf"):
        text = (TEMPLATES / name).read_text()
        text = text.replace("{dir}", str(DIR)).replace("{host}", socket.gethostname())
        (DIR / name).write_text(text)
    for gpu in range(8):
        # Slurm sets CUDA_VISIBLE_DEVICES only for character devices, each with its own number.
        _run("mknod", str(DIR / "dev" / f"gpu{gpu}"), "c", "195", str(100 + gpu))


def _start_munge() -> None:
    key = DIR / "munge.key"
    key.write_bytes(os.urandom(1024))
    key.chmod(0o600)
    files = {"key-file": key} | {
        option: DIR / f"munge{suffix}"
        for option, suffix in {
            "socket": ".socket", "pid-file": "d.pid", "log-file": ".log", "seed-file": ".seed",
        }.items()
    }  # fmt: skip
    _run("munged", "--force", *(f"--{option}={path}" for option, path in files.items()))


def _offer_configuration() -> None:
    """Let plain `squeue` find the cluster, unless this machine belongs to another one."""
    if not SYSTEM_CONF.exists():
        SYSTEM_CONF.parent.mkdir(exist_ok=True)
        SYSTEM_CONF.symlink_to(CONF)


def _stop(pid_file: Path) -> None:
    if not pid_file.exists():
        return
    pid = int(pid_file.read_text())
    # A slurmd whose controller has gone does not end by itself.
    for signal_number, patience_s in ((signal.SIGTERM, 5.0), (signal.SIGKILL, PATIENCE_S)):
        if _alive(pid):
            os.kill(pid, signal_number)
        if _becomes_true(lambda: not _alive(pid), patience_s):
            return
    sys.exit(f"error: process {pid} of {pid_file} did not stop")


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except OSError:
        return False


def _becomes_true(condition: Callable[[], bool], patience_s: float) -> bool:
    deadline = time.monotonic() + patience_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def _run(*command: str) -> None:
    done = subprocess.run(command, env=_environment(), capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"error: {' '.join(command)}: {done.stderr or done.stdout}")


def _ask(*command: str) -> str:
    return subprocess.run(command, env=_environment(), capture_output=True, text=True).stdout


def _environment() -> dict[str, str]:
    return os.environ | {"SLURM_CONF": str(CONF), "PATH": _path()}


def _path() -> str:
    return f"{os.environ['PATH']}:/usr/local/sbin:/usr/sbin:/sbin"


def main() -> None:
    action = sys.argv[1] if len(sys.argv) == 2 else ""
    if action not in ("up", "down", "status"):
        sys.exit(__doc__)
    if action != "status" and (problem := why_impossible()):
        sys.exit(f"error: {problem}")
    if action == "up":
        up()
    elif action == "down":
        down()
    print(f"The test cluster is {'up' if is_up() else 'down'}.")
    if is_up() and SYSTEM_CONF.resolve() != CONF:
        print(f"Another Slurm is configured here, so first: export SLURM_CONF={CONF}")


if __name__ == "__main__":
    main()
