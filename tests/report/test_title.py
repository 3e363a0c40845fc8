"""The title block: what was measured, where, when, and with what result."""

import msgspec
import pytest

from report.data.load import load_results
from report.data.selection import select_tables
from report.make import make_document
from study.grids.file import load_grids
from study.results.environment import RankPlace
from tests.report.made_up import case, end, failed, result, submit, write


def document(folder, *grids, **options):
    """The document of these grids."""
    profiles = load_results(folder, pytest.fail)
    chosen = load_grids(list(grids))
    return make_document([s for grid in chosen for s in select_tables(grid, profiles)], **options)


def about(folder, *grids):
    """The title block of these grids, by name."""
    return dict(document(folder, *grids).about)


def sections(folder, *grids):
    """The sections of a document of these grids."""
    return document(folder, *grids).sections


def measured_on(given, day, commit="a" * 40, dirty=False, changed=None):
    job = msgspec.structs.replace(given.job, finished_at=f"{day}T10:00:00.000+00:00")
    code = msgspec.structs.replace(given.code, commit=commit, dirty=dirty, changed=changed)
    return msgspec.structs.replace(given, job=job, code=code)


def test_cases_that_two_tasks_share_count_once(tmp_path):
    write(tmp_path, "slurm", result(gpus=2), failed(gpus=5))
    assert about(tmp_path, "task4", "task5")["Cases"] == "1 measured, 1 failed"


def test_repeats_are_jobs_and_no_cases_of_their_own(tmp_path):
    again = [result(gpus=2, repeat=n) for n in (2, 3)]
    write(tmp_path, "slurm", failed(gpus=2), *again, failed(gpus=5), failed(gpus=5, repeat=2))
    found = about(tmp_path, "task4", "task5")
    assert found["Cases"] == "1 measured, 1 failed"
    assert found["Jobs"] == "2 measured, 3 failed"


def test_jobs_are_not_counted_where_every_case_has_one(tmp_path):
    write(tmp_path, "slurm", result(gpus=2))
    assert "Jobs" not in about(tmp_path, "task4")


def test_a_case_with_a_failed_and_an_unfinished_job_failed(tmp_path):
    write(tmp_path, "slurm", result(gpus=2), failed(gpus=5))
    submit(tmp_path, "slurm", case(gpus=5, repeat=2))
    found = about(tmp_path, "task4")
    assert found["Cases"] == "1 measured, 1 failed"
    assert found["Jobs"] == "1 measured, 1 failed, 1 missing"


def test_a_case_that_was_cancelled_has_not_failed(tmp_path):
    write(tmp_path, "slurm", result(gpus=2))
    lost = case(gpus=5)
    end(submit(tmp_path, "slurm", lost), lost, "Slurm says CANCELLED", "cancelled")
    assert about(tmp_path, "task4")["Cases"] == "1 measured, 1 not run"


def test_what_nobody_measured_is_missing_and_the_rest_unknown(tmp_path):
    found = about(tmp_path, "task4")
    assert found["Cases"] == "2 missing"
    assert found["Hardware"] == found["Measured"] == found["Commit"] == "–"


def test_days_are_a_range_and_hardware_names_its_hosts(tmp_path):
    first = measured_on(result(gpus=2), "2030-01-01")
    write(tmp_path, "slurm", first, measured_on(result(gpus=5), "2030-01-03"))
    found = about(tmp_path, "task4")
    assert found["Measured"] == "2030-01-01 to 2030-01-03"
    assert found["Hardware"] == "5 × NVIDIA A100 (node1)"
    assert found["Commit"] == "aaaaaaa"


def test_gpus_of_several_nodes_are_counted_together(tmp_path):
    given = result(gpus=5)
    ranks = tuple(RankPlace(i, f"node{i // 2}", f"cuda:{i % 2}", 1) for i in range(5))
    places = msgspec.structs.replace(
        given.environment, ranks=ranks, gpus=given.environment.gpus[:2]
    )
    write(tmp_path, "slurm", msgspec.structs.replace(given, environment=places))
    assert about(tmp_path, "task4")["Hardware"].startswith("5 × NVIDIA A100 (")


def test_logical_gpus_are_not_counted_and_a_cpu_has_no_number(tmp_path):
    write(tmp_path / "gpu", "local", result(gpus=5, emulated=True))
    assert about(tmp_path / "gpu", "task4")["Hardware"] == "1 × NVIDIA A100 (node1)"
    write(tmp_path / "cpu", "local", result(gpus=5, gpu_name=None))
    assert about(tmp_path / "cpu", "task4")["Hardware"].startswith("CPU ")


def test_the_title_block_has_no_words_of_the_tool(tmp_path):
    write(tmp_path, "slurm", result(gpus=2), result(gpus=5))
    found = about(tmp_path, "task4", "task5")
    assert list(found) == ["Hardware", "Software", "Setting", "Measured", "Commit"]
    assert found["Software"].startswith("torch ")
    assert "dim 4096, batch 64, split even" in found["Setting"]


def test_profiles_are_named_where_there_are_several(tmp_path):
    write(tmp_path, "slurm", result(gpus=2))
    write(tmp_path, "local", result(gpus=2))
    found = about(tmp_path, "task4")
    assert (found["Clusters"], found["Hardware"]) == ("local, slurm", "2 × NVIDIA A100 (node1)")


def test_each_profile_is_named_with_its_hardware_where_that_differs(tmp_path):
    write(tmp_path, "slurm", result(gpus=2, gpu_name="NVIDIA H100"))
    write(tmp_path, "local", result(gpus=5))
    found = about(tmp_path, "task4")
    assert found["Hardware"] == ("local: 5 × NVIDIA A100 (node1); slurm: 2 × NVIDIA H100 (node1)")
    assert "Clusters" not in found
    titles = [section.title for section in sections(tmp_path, "task4")]
    assert titles == ["Task 4: run with more GPUs (local)", "Task 4: run with more GPUs (slurm)"]


def test_a_section_says_only_what_the_title_block_does_not(tmp_path):
    write(tmp_path, "slurm", result("task1"), result(gpus=2), result(gpus=5))
    half, *even = sections(tmp_path, "task1", "task4", "task5")
    assert half.facts == ["Setting: split half."]
    assert not any("dim" in fact or "Hardware" in fact for s in even for fact in s.facts)


def test_hardware_that_differs_between_sections_is_in_each(tmp_path):
    write(tmp_path, "slurm", result("task1", gpu_name="NVIDIA H100"), result(gpus=2))
    first, second = sections(tmp_path, "task1", "task4")
    assert any(fact.startswith("Hardware: NVIDIA H100.") for fact in first.facts)
    assert any(fact.startswith("Hardware: NVIDIA A100.") for fact in second.facts)


def test_results_of_the_same_changes_share_a_line(tmp_path):
    first = measured_on(result(gpus=2), "2030-01-01", dirty=True)
    second = measured_on(result(gpus=5), "2030-01-01", commit="b" * 40, dirty=True)
    write(tmp_path, "slurm", first, second)
    assert about(tmp_path, "task4")["Commit"] == "aaaaaaa and bbbbbbb with changed files"


def test_the_first_page_has_the_figure_that_says_most_and_no_section_has_it_again(tmp_path):
    write(tmp_path, "slurm", result("task1"), result(gpus=2), result(gpus=5))
    shown = document(tmp_path, "task1", "task4", with_figures=True, with_details=True)
    of_task4 = shown.glance_figure.caption.removeprefix("Task 4: run with more GPUs. ")
    assert of_task4.startswith("What each GPU does during a step, 5 GPUs")
    drawn = [f.svg for s in shown.sections for f in (*s.figures, *s.details.figures)]
    assert shown.glance_figure.svg not in drawn
    alone = document(tmp_path, "task4", with_figures=True, with_details=True)
    assert alone.glance_figure is None


def test_a_section_whose_figure_is_on_the_first_page_says_so(tmp_path):
    write(tmp_path, "local", result("task1", emulated=True), result(gpus=2, emulated=True))
    shown = document(tmp_path, "task1", "task4", with_figures=True)
    assert "more GPUs. Step time for each GPU count" in shown.glance_figure.caption
    assert shown.sections[1].facts[-1] == "Figure 1, at a glance, belongs to this section."


def test_emulation_stands_on_the_first_page(tmp_path):
    write(tmp_path, "local", result("task1"), result(gpus=2), result(gpus=5, emulated=True))
    (warning,) = document(tmp_path, "task1", "task4").warnings
    assert warning.startswith("EMULATED: 1 of 3 results comes from logical GPUs")
    assert any(f.startswith("EMULATED") for f in sections(tmp_path, "task1", "task4")[1].facts)


def test_code_that_differed_from_its_commit_is_said(tmp_path):
    write(tmp_path, "slurm", measured_on(result(gpus=2), "2030-01-01", dirty=True))
    assert about(tmp_path, "task4")["Commit"] == "aaaaaaa with changed files"


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (("mp/single/step.py",), "aaaaaaa with changes in mp/single/step.py"),
        (("a.py", "b.py", "c.py"), "aaaaaaa with changes in a.py, b.py and c.py"),
        (tuple("abcdef"), "aaaaaaa with changes in a, b, c and 3 more files"),
        (("line\nbreak.py",), "aaaaaaa with changes in line break.py"),
        ((), "aaaaaaa with changed files"),
    ],
)
def test_changed_files_are_named_where_the_result_names_them(tmp_path, changed, said):
    given = measured_on(result(gpus=2), "2030-01-01", dirty=True, changed=changed)
    write(tmp_path, "slurm", given)
    assert about(tmp_path, "task4")["Commit"] == said
