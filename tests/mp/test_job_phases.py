"""The phases of a job are timed: which come, in which order, and that nothing is left out."""

import json
import re
import subprocess
import sys
from time import perf_counter

import pytest

from mp.timing.phases import OF_PROGRESS, PhaseClock, since_process_start_s
from study.paths import ROOT
from study.results.phases import PHASE_NAMES
from study.storage.progress import Progress
from tests.conftest import PATIENCE_S


def test_time_goes_to_the_phase_that_progress_names_and_progress_is_passed_on():
    told = []
    clock = PhaseClock(told.append, since_start_s=7.0)
    clock.enter("meeting")
    for phase in ("check copies", "build", "check copies", "unknown", "timing"):
        clock(Progress(phase=phase))
    phases = clock.phases()
    assert [phase.name for phase in phases] == ["imports", "meeting", "checks", "drawing", "timing"]
    assert 7.0 <= phases[0].seconds < 8.0
    assert [progress.phase for progress in told][-2:] == ["unknown", "timing"]


def test_a_process_knows_how_long_it_runs():
    code = (
        "import time; from mp.timing.phases import since_process_start_s as since\n"
        "a = since(); time.sleep(0.3); print(a, since() - a)"
    )
    start = perf_counter()
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    first, later = map(float, done.stdout.split())
    assert 0 < first < perf_counter() - start
    assert later == pytest.approx(0.3, abs=0.2)
    assert since_process_start_s() > 0


@pytest.mark.long
def test_the_phases_of_a_result_fill_the_time_of_its_job():
    options = {"depth": 2, "gpus": 2, "dim": 8, "batch-size": 4, "steps": 3, "warmup-steps": 1,
               "device": "cpu"}  # fmt: skip
    command = [sys.executable, "-m", "mp", *(f"--{key}={value}" for key, value in options.items())]
    start = perf_counter()
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_S)
    took = perf_counter() - start
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    names = [phase["name"] for phase in result["phases"]]
    assert names == [name for name in PHASE_NAMES if name != "profile"]
    total = sum(phase["seconds"] for phase in result["phases"])
    assert 0.5 * took < total < took
    assert result["measurement"]["draw_version"] == 2


def test_every_phase_that_a_case_reports_is_timed_as_one():
    reported = set()
    for path in (ROOT / "mp").rglob("*.py"):
        reported |= set(re.findall(r'Progress\(phase="([^"]+)"', path.read_text(encoding="utf-8")))
    assert reported - {"program"} <= OF_PROGRESS.keys()
    assert {"build", "check a graph against eager steps"} <= reported
