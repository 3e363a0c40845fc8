"""Two sets of results side by side: the code that was measured, and what disturbed a case."""

import msgspec
import pytest

from study.results.result import Code
from tests.report.made_up import result, write
from tests.report.made_up_conditions import (
    at_clock,
    from_commit,
    ran,
    warmed_up,
    without_nvml,
)

pytestmark = pytest.mark.long


@pytest.fixture
def compare(run, tmp_path):
    """Write a result to either set, and compare them."""

    def compared(old, new, *arguments):
        write(tmp_path / "old", "slurm", *old)
        write(tmp_path / "new", "slurm", *new)
        folders = ("--results", tmp_path / "new", "--compare", tmp_path / "old")
        return run("collect.py", *folders, *arguments)

    return compared


def cells_of(text):
    (row,) = [line for line in text.splitlines() if line.startswith("| slurm")]
    return [cell.strip() for cell in row.strip("|").split("|")]


def test_both_commits_are_named_with_the_files_that_differed(compare):
    old = from_commit(result(gpus=2), "a")
    new = from_commit(result(gpus=2), "b", ("mp/model.py",))
    done = compare([old], [new])
    assert "Code: aaaaaaa before, bbbbbbb with changes in mp/model.py after." in done.stdout
    assert cells_of(done.stdout)[-1] == "same"


def test_one_commit_is_named_once(compare):
    both = [from_commit(result(gpus=2), "a")]
    assert "Code of both: aaaaaaa." in compare(both, both).stdout


def test_several_commits_of_a_set_are_all_named(compare):
    old = [from_commit(result(gpus=2), "a"), from_commit(result(gpus=5), "c")]
    new = [from_commit(result(gpus=gpus), "b", None) for gpus in (2, 5)]
    text = compare(old, new).stdout
    assert "Code: aaaaaaa and ccccccc before, bbbbbbb with changed files after." in text


def test_a_set_without_a_commit_says_so(compare):
    unknown = msgspec.structs.replace(result(gpus=2), code=Code(commit=None, dirty=None))
    text = compare([unknown], [from_commit(result(gpus=2), "a")]).stdout
    assert "Code: – before, aaaaaaa after." in text


def test_a_clock_that_can_be_all_of_a_slowdown_is_no_verdict_and_passes_no_gate(compare):
    slow = at_clock(result(gpus=2, step_s=0.15), 900)
    done = compare([result(gpus=2, step_s=0.1)], [slow], "--fail-on-regression", "3%")
    assert cells_of(done.stdout)[-1] == (
        "not compared: GPU 0 ran at 900 of 1410 MHz after, and that can be all of the difference"
    )
    assert done.returncode == 1


def test_a_disturbed_ratio_has_two_digits_and_its_caution(compare):
    hasty = warmed_up(result(gpus=2, step_s=0.2), steady=False)
    done = compare([result(gpus=2, step_s=0.1)], [hasty], "--fail-on-regression", "3%")
    assert cells_of(done.stdout)[-2:] == ["about 2.0", "slower; but warm-up was not steady after"]
    assert done.returncode == 1
    assert "(slurm); but warm-up was not steady after" in done.stderr


def test_what_was_looked_at_on_one_side_alone_is_said(compare):
    done = compare([without_nvml(result(gpus=2))], [result(gpus=2)])
    assert cells_of(done.stdout)[-1] == "same; but clocks and throttling unknown before"


def test_a_job_of_the_same_set_on_the_same_host_is_said(compare):
    new = [ran(result(gpus=gpus), "10:01:00", "10:02:00") for gpus in (2, 5)]
    done = compare([result(gpus=2), result(gpus=5)], new)
    assert done.stdout.count("same; but another job ran on the same host after") == 2
