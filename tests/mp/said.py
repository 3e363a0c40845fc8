"""What a module of forked ranks prints, started in a process of its own."""

import json
import subprocess
import sys

from study.paths import ROOT
from tests.conftest import PATIENCE_S


def lines_of(module, *arguments):
    """The JSON lists that it prints, a line each; it must end well."""
    done = subprocess.run(
        [sys.executable, "-m", f"tests.mp.{module}", *arguments],
        cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_S,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("[")]
