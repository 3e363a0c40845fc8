"""Two made-up users of this machine, for what one can do to the other."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import PATIENCE_S, ROOT

# Python and this checkout may lie where only root reads; to write is another matter.
MAY_READ = ("--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search")


@dataclass(frozen=True)
class User:
    """One of them, with a folder of their own."""

    name: str
    home: Path

    def command(self, *command: object) -> list[str]:
        """Return the command line by which root runs a command as this user."""
        user = ("--reuid", self.name, "--regid", self.name, "--init-groups")
        return ["setpriv", *user, *MAY_READ, *map(str, command)]

    def run(self, *command: object, umask: int = 0o022) -> subprocess.CompletedProcess[str]:
        """Run a command as this user, who is in the group of both."""
        return subprocess.run(
            self.command(*command),
            cwd=ROOT, env=os.environ | {"HOME": str(self.home)}, capture_output=True, text=True,
            timeout=PATIENCE_S, umask=umask,
        )  # fmt: skip

    def python(self, script: str, *arguments: object, **more) -> subprocess.CompletedProcess[str]:
        """Run one of our entry points."""
        return self.run(sys.executable, script, *arguments, **more)

    def shell(self, line: str) -> str:
        """Run a line of shell, which must succeed; what it prints."""
        done = self.run("sh", "-ec", line)
        assert done.returncode == 0, done.stderr
        return done.stdout


@contextmanager
def made_up_users(folder: Path) -> Iterator[tuple[User, User]]:
    """Ada and Eve, who share a group, and are removed afterwards."""
    if os.geteuid() != 0 or shutil.which("useradd") is None:
        pytest.skip("only root makes users, with useradd")
    worker = os.environ.get("PYTEST_XDIST_WORKER", "")
    ada, eve = (User(f"mpb-{name}{worker}", folder / name) for name in ("ada", "eve"))
    remove(ada, eve)  # of a run that was killed
    try:
        for user in (ada, eve):
            admin("useradd", "--no-create-home", "--user-group", "--no-log-init", user.name)
            user.home.mkdir(mode=0o755)
            shutil.chown(user.home, user.name, user.name)
        admin("usermod", "--append", "--groups", ada.name, eve.name)
        folder.chmod(0o755)
        yield ada, eve
    finally:
        remove(ada, eve)


def remove(*users: User) -> None:
    """Remove these users, then their groups, of which others are members."""
    for command in (("userdel", "--force"), ("groupdel",)):
        for user in users:
            admin(*command, user.name, may_fail=True)


def admin(*command: str, may_fail: bool = False) -> None:
    """Change the machine's users; another test may hold their file."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S)
        if done.returncode == 0 or (may_fail and "lock" not in done.stderr):
            return
        assert "lock" in done.stderr, done.stderr
        assert time.monotonic() < deadline, done.stderr
        time.sleep(0.2)


@pytest.fixture(scope="session")
def users(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[User, User]]:
    """Ada and Eve."""
    folder = tmp_path_factory.mktemp("users")
    for above in folder.parents[:2]:
        above.chmod(0o711)  # pytest lets nobody else through
    with made_up_users(folder) as both:
        yield both
