"""The kernel's count of processes that it ended for want of memory, in this job's cgroup."""

import re
from contextlib import suppress
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")
_KILLS = re.compile(r"^oom_kill (\d+)$", re.MULTILINE)


def oom_kills(root: Path = ROOT, own: Path = Path("/proc/self/cgroup")) -> int:
    """Return the count; 0 where no cgroup tells.

    Args:
        root: where cgroups are mounted.
        own: the file that names those of this process, a line each: `0::/path` of version 2,
            `9:memory:/path` of version 1.
    """
    with suppress(OSError):
        for line in own.read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            files = {"": (root, "memory.events"), "memory": (root / "memory", "memory.oom_control")}
            if controllers not in files:
                continue
            mounted, name = files[controllers]
            with suppress(OSError):
                text = (mounted / path.lstrip("/") / name).read_text()
                if found := _KILLS.search(text):
                    return int(found[1])
    return 0
