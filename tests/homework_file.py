"""The file `homework.py` that is handed in, run as a student runs it: in a folder without ours."""

import json
import re
import subprocess
import sys

from report.hand_in.source import make_homework
from study.paths import ROOT

CONSTANTS = {"DIM": 64, "DEPTH": 6, "BATCH_SIZE": 8, "SEED": 0}


def run_homework(folder, *arguments, **constants):
    """Write the file, run it, and return the finished process."""
    path = folder / "homework.py"
    path.write_text(make_homework(CONSTANTS | constants))
    command = [sys.executable, "-I", path.name, *map(str, arguments)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)


def read_output(text):
    """What it printed; `places` and `devices` have an entry for each layer."""
    layers = re.findall(r"^layer \d+: GPU (\d+) \((.*)\)$", text, re.MULTILINE)
    calls, moves = re.search(r"forward pass: (\d+), of which (\d+) moved data", text).groups()
    before = re.search(r"move[d]? before layer: (.*)", text)
    return {
        "places": [int(gpu) for gpu, _ in layers],
        "devices": [device for _, device in layers],
        "calls": int(calls),
        "moves": int(moves),
        "moved_before": [int(layer) for layer in before[1].split(", ")] if before else [],
        "first_loss": float(re.search(r"first loss: (\S+)", text)[1]),
        "step_ms": float(re.search(r"step time: (\S+) ms", text)[1]),
        "peaks_gib": [float(peak) for peak in re.findall(r"peak memory of cuda:\d+: (\S+)", text)],
    }


def run_benchmark(*arguments):
    """The result of the same case, measured by `python -m mp`."""
    command = [sys.executable, "-m", "mp", *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
