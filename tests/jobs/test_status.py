"""What `--status` shows on screens of every width, and for cases that ended alike."""

from dataclasses import replace

import pytest
from msgspec.structs import replace as replace_fields
from rich.console import Console

from jobs.status.case_status import CaseStatus
from jobs.terminal.live_view import Overview, _picture
from jobs.terminal.status_table import make_lines, reasons, summary
from study.storage.progress import Progress
from study.validation import make_case
from tests.jobs.test_plan import submission


def seen(job_id="17", **values):
    return CaseStatus(submission=submission(job_id=job_id), **values)


RUNNING = seen(
    state="RUNNING", nodes="gpu1", elapsed_s=3723, is_live=True,
    progress=Progress(phase="timing", step=7, steps=100),
)  # fmt: skip
ENDED = seen("18", state="TIMEOUT", outcome="timeout", why="its time was up", profile="")


def test_a_row_has_state_node_time_progress_outcome_and_log():
    titles, row = make_lines([RUNNING])
    assert " ".join(titles.split()) == "case job id state reason node elapsed last seen outcome log"
    assert row.split()[1:] == ["17", "RUNNING", "–", "gpu1", "1:02:03", "timing", "7/100", "–", "–"]


@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_no_line_is_longer_than_the_screen_and_the_outcome_is_always_there(width):
    lines = make_lines([RUNNING, ENDED], width)
    assert max(map(len, lines)) <= width
    assert "outcome" in lines[0]
    assert "timeout" in lines[2]


def test_profiles_are_told_apart_where_there_are_several():
    lines = make_lines([seen(profile="slurm"), seen(profile="local")])
    assert lines[0].startswith("profile")
    assert [line.split()[0] for line in lines[1:]] == ["slurm", "local"]


def test_models_are_told_apart_where_there_are_several():
    keys = {"depth": 24, "gpus": 2, "batch_size": 8}
    gpt = make_case(keys | {"kind": "gpt"}, "x")
    other = seen()
    of_gpt = replace(other, submission=replace_fields(other.submission, case=gpt))
    titles, _, line = make_lines([other, of_gpt])
    assert "model" in titles
    assert "GPT of 24 blocks" in line
    assert "model" not in make_lines([other, other])[0]


def test_cases_that_ended_alike_are_one_line():
    alike = [seen(str(n), outcome="cancelled", why="by hand") for n in range(40)]
    (line,) = reasons(alike)
    assert line.endswith(" and 37 more: cancelled: by hand")
    assert summary(alike) == "40 cancelled"


@pytest.mark.parametrize("width", [60, 80, 120])
def test_a_live_picture_fits_the_screen_with_its_summary(width):
    many = [RUNNING] * 50 + [ENDED] * 50
    console = Console(width=width, height=24)
    text = _picture(Overview(many, ["a note"]), width, 24)
    lines = console.render_lines(text, pad=False)
    shown = ["".join(segment.text for segment in line) for line in lines]
    assert len(shown) <= 24
    assert any("more rows do not fit" in line for line in shown)
