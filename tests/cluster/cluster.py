"""A private Slurm for tests and for trying out: `python cluster.py up | down | status`.

With ACCOUNTING=1 in the environment it is another one, with slurmdbd and a MariaDB of its own; both
may be up at a time. MPBENCH_TEST_CLUSTER=1, 2, ... selects another pair of clusters, and every
worker of pytest-xdist has a pair that nobody else uses.
On a machine of fewer than 32 cores, `up` lets each node run one job at a time, so that jobs do not
disturb one another's step times; tests, which start clusters themselves, share the nodes.
Needs root, and slurmctld, slurmd and munged (Debian: slurmctld slurmd slurm-client munge; and
slurmdbd mariadb-server). The GPUs are pretended: devices that Slurm counts and hands out, and that
nothing can compute on.

The daemons run as root and listen on 127.0.0.1 alone. Slurm can only be told to listen where its
host's name leads (CommunicationParameters). If that is another address, the daemons, and so their
jobs, run in a UTS namespace in which the host's name is localhost; sbatch works there as ever, srun
only within jobs.
"""

import fcntl
import os
import pwd
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

TEMPLATES = Path(__file__).resolve().parent
SYSTEM_CONF = Path("/etc/slurm/slurm.conf")
HOSTS = Path("/etc/hosts")
NODES = ("gpu1", "gpu2")
PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "scontrol", "mknod")
ACCOUNTING_PROGRAMS = ("slurmdbd", "mariadbd", "mariadb-install-db", "sacctmgr")
LOOPBACK = "127.0.0.1"
LOCALHOST = "localhost"
IN_NAMESPACE = ("unshare", "--uts", "sh", "-c", f'hostname {LOCALHOST} && exec "$@"', "sh")
PATIENCE_S = 120.0
STARTS, TO_ANSWER_S = 5, 20.0  # of slurmctld, and seconds until it should answer
ENOUGH_CORES = 32  # as many as both nodes pretend to have: Slurm then counts right by itself


@dataclass(frozen=True)
class Cluster:
    """One private cluster: its ClusterName, its folder and the first of its ports.

    Attributes:
        nodes: their names.
        partitions: that have every node once, joined by commas.
    """

    name: str
    folder: Path
    port: int
    accounting: bool
    nodes: tuple[str, ...] = NODES
    partitions: str = "gpu"

    @property
    def conf(self) -> Path:
        """What SLURM_CONF must be to reach it."""
        return self.folder / "slurm.conf"

    @property
    def environment(self) -> dict[str, str]:
        """The environment in which Slurm's commands reach it, and the database's its own socket."""
        outside = {k: v for k, v in os.environ.items() if not k.startswith("SLURM_")}
        return outside | {
            "SLURM_CONF": str(self.conf),
            "MYSQL_UNIX_PORT": str(self.folder / "mysql.socket"),
            "PATH": _path(),
        }

    def why_impossible(self) -> str | None:
        """Why it cannot be started here, or None."""
        if os.geteuid() != 0:
            return "starting Slurm needs root"
        programs = PROGRAMS + (ACCOUNTING_PROGRAMS if self.accounting else ())
        missing = [name for name in programs if shutil.which(name, path=_path()) is None]
        how = "make slurm ACCOUNTING=1" if self.accounting else "make slurm"
        if missing:
            return f"not installed: {', '.join(missing)} (`{how}` installs them)"
        return self.why_no_loopback()

    def why_no_loopback(self) -> str | None:
        """Why the daemons cannot be made to listen on 127.0.0.1 alone, or None."""
        return _why_no_loopback()

    @property
    def before_daemons(self) -> tuple[str, ...]:
        """The words before a daemon's command that let its host's name lead to 127.0.0.1."""
        return _named_for_loopback()

    def is_up(self) -> bool:
        """Whether all nodes can take jobs, and the database knows the cluster."""
        if not self.conf.exists() or shutil.which("sinfo") is None:
            return False
        where = f"--partition={self.partitions}"
        states = self.ask("sinfo", "--noheader", "--Node", where, "--format=%T").split()
        if len(states) != len(self.nodes) or not set(states) <= {"idle", "mixed", "allocated"}:
            return False
        return not self.accounting or self._has_association()

    def up(self) -> None:
        """Start the daemons and wait until all nodes can take jobs."""
        if self.is_up():
            return
        self.down()
        self._write_configuration()
        self._name_nodes()
        self._start_munge()
        if self.accounting:
            self._start_accounting()
        self.start_controller()
        for node in self.nodes:
            self.start_node(node)
        if not becomes_true(self.is_up, PATIENCE_S):
            sys.exit(f"error: the nodes did not come up; see {self.folder}/*.log")

    def down(self) -> None:
        """Stop the daemons by their own pid files and remove everything they wrote."""
        if self.conf.exists() and shutil.which("scancel"):
            self.ask("scancel", "--user=root")
        nodes = (f"slurmd.{node}" for node in self.nodes)
        for daemon in (*nodes, "slurmctld", "slurmdbd", "mariadbd", "munged"):
            self.stop(daemon)
        if SYSTEM_CONF.is_symlink() and SYSTEM_CONF.readlink() == self.conf:
            SYSTEM_CONF.unlink()
        self._forget_nodes()
        shutil.rmtree(self.folder, ignore_errors=True)

    def start_controller(self) -> None:
        """Start slurmctld, which goes on from its saved state; again if it has ended by itself.

        It ends behind its parent's back if the port of one that was killed is not free yet.
        """
        pid_file = self.folder / "slurmctld.pid"
        for _ in range(STARTS):
            pid_file.unlink(missing_ok=True)
            self.run(*self.before_daemons, "slurmctld", "-f", str(self.conf))
            if becomes_true(self._controller_answers, TO_ANSWER_S):
                return
            runs = pid_file.exists() and _alive(int(pid_file.read_text()))
            if runs and becomes_true(self._controller_answers, PATIENCE_S):
                return
        sys.exit(f"error: slurmctld does not answer; see {self.folder / 'slurmctld.log'}")

    def _controller_answers(self) -> bool:
        return "is UP" in self.ask("scontrol", "ping")

    def start_node(self, node: str) -> None:
        """Start the node's slurmd."""
        self.run(*self.before_daemons, "slurmd", "-N", node, "-f", str(self.conf))

    def stop(self, daemon: str, by: signal.Signals = signal.SIGTERM) -> None:
        """Stop a daemon: slurmctld, slurmd.gpu1, ..."""
        _stop(self.folder / f"{daemon}.pid", by)

    def run(self, *command: str) -> str:
        """Run a command of the cluster; its output, or the end of this program."""
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(f"error: {' '.join(command)}: {done.stderr or done.stdout}")
        return done.stdout

    def ask(self, *command: str) -> str:
        """What a command prints, whether it succeeds or not."""
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True)
        return done.stdout

    def share_nodes(self, shared: bool = True) -> None:
        """Let the partition `gpu` run several jobs on a node, as tests need, or one alone.

        Two jobs of one thread each do not disturb each other on two cores.
        """
        value = "NO" if shared else "EXCLUSIVE"
        self.ask("scontrol", "update", "PartitionName=gpu", f"OverSubscribe={value}")

    def _write_configuration(self) -> None:
        self.folder.mkdir(parents=True)
        self.folder.chmod(0o755)  # other users' commands read slurm.conf and reach the sockets
        for name in ("dev", "state", "private"):
            (self.folder / name).mkdir(mode=0o700)
        more = self._template("accounting.conf") if self.accounting else ""
        conf = self._template("slurm.conf") + self.node_lines()
        _write(self.conf, conf + more, 0o644)
        _write(self.folder / "gres.conf", self.gres_lines(), 0o644)
        _write(self.folder / "cgroup.conf", self._template("cgroup.conf"), 0o644)
        _write(self.folder / "prolog", self._template("prolog"), 0o755)
        if self.accounting:
            _write(self.folder / "slurmdbd.conf", self._template("slurmdbd.conf"), 0o600)
        self.make_devices()

    def node_lines(self) -> str:
        """The lines of slurm.conf for nodes and partitions."""
        return self._template("nodes.conf")

    def gres_lines(self) -> str:
        """The lines of gres.conf: the files of the GPUs of each node."""
        return self._template("gres.conf")

    def make_devices(self) -> None:
        """Make the files of pretended GPUs.

        Slurm sets CUDA_VISIBLE_DEVICES only for character devices with their own numbers.
        """
        for gpu in range(8):
            self.run("mknod", str(self.folder / "dev" / f"gpu{gpu}"), "c", "195", str(100 + gpu))

    def _template(self, name: str) -> str:
        return self.filled_in((TEMPLATES / name).read_text())

    def filled_in(self, text: str) -> str:
        """The text with the words in braces filled in."""
        host = LOCALHOST if self.before_daemons else socket.gethostname()
        values = {"dir": self.folder, "host": host, "name": self.name}
        # No two clusters of this machine give the same job id: tests find processes by it.
        values["first_job"] = 1 + 1000 * (self.port - 17000)
        ports = {f"port{n}": self.port + n for n in range(4)}
        for key, value in (values | ports).items():
            text = text.replace(f"{{{key}}}", str(value))
        return text

    def _name_nodes(self) -> None:
        """Let the nodes' names lead here: the processes of a job find one another by them."""
        with _locked_hosts("a") as file:
            file.write(f"127.0.0.1 {' '.join(self.nodes)} # {self.name}\n")

    def _forget_nodes(self) -> None:
        if os.geteuid() != 0:
            return
        with _locked_hosts("r+") as file:
            lines = file.readlines()
            kept = [line for line in lines if not line.endswith(f"# {self.name}\n")]
            if kept != lines:
                # Written over and then cut: jobs of other clusters must never read an empty file.
                file.seek(0)
                file.write("".join(kept))
                file.flush()
                file.truncate()

    def _start_munge(self) -> None:
        _write(self.folder / "private/munge.key", os.urandom(1024), 0o600)
        files = {"key-file": "private/munge.key", "seed-file": "private/munge.seed"}
        files |= {"socket": "munge.socket", "pid-file": "munged.pid", "log-file": "munge.log"}
        options = (f"--{option}={self.folder / name}" for option, name in files.items())
        self.run("munged", "--force", *options)

    def _start_accounting(self) -> None:
        """Start a database on a socket alone, slurmdbd, and make an account for every person."""
        data = self.folder / "mysql"
        where = (f"--datadir={data}", "--user=root")
        self.run("mariadb-install-db", *where, "--skip-test-db", "--auth-root-socket-user=root")
        files = (f"--socket={self.folder}/mysql.socket", f"--pid-file={self.folder}/mariadbd.pid")
        command = shlex.join(["mariadbd", "--no-defaults", *where, *files, "--skip-networking"])
        self.run("sh", "-c", f"{command} < /dev/null > {self.folder}/mariadb.log 2>&1 &")
        if not becomes_true((self.folder / "mysql.socket").exists, PATIENCE_S):
            sys.exit(f"error: MariaDB did not come up; see {self.folder}/mariadb.log")
        self.run(*self.before_daemons, "slurmdbd")
        if not becomes_true(lambda: self._knows_itself(), PATIENCE_S):
            sys.exit(f"error: slurmdbd did not come up; see {self.folder}/slurmdbd.log")
        self.run("sacctmgr", "--immediate", "add", "account", "mpbench")
        people = [p.pw_name for p in pwd.getpwall() if p.pw_uid == 0 or 1000 <= p.pw_uid < 60_000]
        names = ",".join(people)
        self.run("sacctmgr", "--immediate", "add", "user", names, "account=mpbench")

    def _knows_itself(self) -> bool:
        self.ask("sacctmgr", "--immediate", "add", "cluster", self.name)
        clusters = self.ask("sacctmgr", "--noheader", "--parsable2", "show", "cluster")
        return clusters.startswith(f"{self.name}|")

    def _has_association(self) -> bool:
        # slurmctld has read the accounts, so that it takes jobs.
        return "UserName=root" in self.ask("scontrol", "show", "assoc_mgr", "flags=users")

    def offer_configuration(self) -> None:
        """Let plain `squeue` find the cluster, unless this machine belongs to another one."""
        if SYSTEM_CONF.is_symlink() and SYSTEM_CONF.readlink() in {c.conf for c in CLUSTERS}:
            SYSTEM_CONF.unlink()
        if not SYSTEM_CONF.exists():
            SYSTEM_CONF.parent.mkdir(exist_ok=True)
            SYSTEM_CONF.symlink_to(self.conf)


def make_cluster(number: int, *, accounting: bool) -> Cluster:
    """Return the plain cluster, or the one with accounting, of the pair with this number."""
    suffix = ("-accounting" if accounting else "") + (f"-{number}" if number else "")
    port = 17000 + 20 * number + 10 * accounting
    return Cluster(
        f"mpbench-test{suffix}", Path(f"/var/lib/mpbench-slurm{suffix}"), port, accounting
    )


def number_of(worker: str | None) -> int:
    """Return the number of the pair of a worker of pytest-xdist ("gw0", ...), or of no worker.

    Root's workers start clusters that nobody else uses; others can only use that of `make slurm`.
    """
    chosen = int(os.environ.get("MPBENCH_TEST_CLUSTER", "0"))
    if worker is None or os.geteuid() != 0:
        return chosen
    return 10 * (chosen + 1) + int(worker.removeprefix("gw"))


NUMBER = number_of(os.environ.get("PYTEST_XDIST_WORKER"))
PLAIN = make_cluster(NUMBER, accounting=False)
ACCOUNTING = make_cluster(NUMBER, accounting=True)
CLUSTERS = (PLAIN, ACCOUNTING)


def _write(path: Path, content: str | bytes, mode: int) -> None:
    """Write a new file that nobody else can read before it has its mode."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode & 0o600)
    with open(handle, "wb") as file:
        file.write(content if isinstance(content, bytes) else content.encode())
        os.fchmod(handle, mode)


def _named_for_loopback() -> tuple[str, ...]:
    """Return the words before a daemon's command that let its host's name lead to 127.0.0.1."""
    with suppress(OSError):
        if socket.gethostbyname(socket.gethostname()) == LOOPBACK:
            return ()
    return IN_NAMESPACE


def _why_no_loopback() -> str | None:
    """Return why the daemons cannot be made to listen on 127.0.0.1 alone, or None."""
    command = (*_named_for_loopback(), "true")
    if subprocess.run(command, capture_output=True).returncode == 0:
        return None
    name = socket.gethostname()
    return (
        f"{name} does not lead to {LOOPBACK}, where Slurm is to listen, and unshare --uts fails: "
        f"write `{LOOPBACK} {name}` as the first line of {HOSTS}"
    )


@contextmanager
def _locked_hosts(mode: str) -> Iterator[IO[str]]:
    """Open /etc/hosts, which several clusters may want to change at once."""
    with HOSTS.open(mode) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield file


def _stop(pid_file: Path, by: signal.Signals = signal.SIGTERM) -> None:
    if not pid_file.exists():
        return
    pid = int(pid_file.read_text())
    # A slurmd whose controller has gone does not end by itself.
    for signal_number, patience_s in ((by, 5.0), (signal.SIGKILL, PATIENCE_S)):
        if _alive(pid):
            os.kill(pid, signal_number)
        if becomes_true(lambda: not _alive(pid), patience_s):
            return
    sys.exit(f"error: process {pid} of {pid_file} did not stop")


def _alive(pid: int) -> bool:
    """Return whether any thread of a process runs: the first may end before one with its port."""
    try:
        is_zombie = Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z"
        return not is_zombie or len(os.listdir(f"/proc/{pid}/task")) > 1
    except OSError:
        return False


def becomes_true(condition: Callable[[], bool], patience_s: float) -> bool:
    """Look until the condition holds, or the seconds are over; whether it does."""
    deadline = time.monotonic() + patience_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def _path() -> str:
    return f"{os.environ['PATH']}:/usr/local/sbin:/usr/sbin:/sbin"


def main() -> None:
    action = sys.argv[1] if len(sys.argv) == 2 else ""
    if action not in ("up", "down", "status"):
        sys.exit(__doc__)
    cluster = ACCOUNTING if os.environ.get("ACCOUNTING") else PLAIN
    if action != "status" and (problem := cluster.why_impossible()) and action == "up":
        sys.exit(f"error: {problem}")
    if action == "up":
        cluster.up()
        cluster.share_nodes((os.cpu_count() or 1) >= ENOUGH_CORES)
        cluster.offer_configuration()
    for each in CLUSTERS if action == "down" else ():
        each.down()
    up = [each for each in CLUSTERS if each.is_up()]
    for each in up:
        kind = "with" if each.accounting else "without"
        print(f"The test cluster {kind} accounting is up: export SLURM_CONF={each.conf}")
        if SYSTEM_CONF.resolve() == each.conf:
            print("Slurm's commands find it by themselves.")
    if not up:
        print("The test cluster is down.")


if __name__ == "__main__":
    main()
