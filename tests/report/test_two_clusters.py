"""Results of two clusters in one document: each grid where it was submitted, and no mixing."""

from dataclasses import replace

import pytest

from report.data.grids.submitted import select_named
from report.data.load import load_results
from report.make import make_document
from study.grids.file import load_grids
from tests.report.made_up import result, submit, write
from tests.report.made_up_pipeline import scheduled

KEYS = {"depth": 20, "dim": 4096, "batch_size": 640, "gpus": 4}
ALL = """
title: "All schedules"
table: schedules
axes: {gpus: [4], schedule: [naive, gpipe, 1f1b]}
model: {depth: 20, dim: 4096, batch_size: 640}
pipeline: {micro_batches: 10, gradients: separate}
train: {dtype: bfloat16}
measure: {time_limit_s: 20}
"""
MORE = """
title: "More micro-batches"
table: schedules
axes: {gpus: [4], schedule: [naive, gpipe, 1f1b], micro_batches: [10, 20]}
model: {depth: 20, dim: 4096, batch_size: 640}
pipeline: {gradients: separate}
train: {dtype: bfloat16}
measure: {time_limit_s: 20}
"""


def measure(folder, profile, grid, *results, **overrides):
    """Submit the cases by a grid, and let them have these results."""
    for one in results:
        submit(folder, profile, one.case, grid, overrides=overrides)
    write(folder, profile, *results)


def made(schedule, step_s, micro_batches=10, **keys):
    return scheduled(schedule, step_s=step_s, micro_batches=micro_batches, **KEYS, **keys)


NAIVE = made("naive", 0.4)
FEW = [made("gpipe", 0.2), made("1f1b", 0.19)]
MANY = [made("gpipe", 0.15, 20), made("1f1b", 0.3, 20)]


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    """One cluster measured every schedule; another only more micro-batches."""
    folder = tmp_path_factory.mktemp("two")
    for name, text in (("all", ALL), ("more", MORE)):
        (folder / f"{name}.yaml").write_text(text)
    measure(folder / "results", "first", "all", NAIVE, *FEW)
    measure(folder / "results", "second", "more", NAIVE, *MANY, micro_batches=20)
    grids = load_grids([str(folder / f"{name}.yaml") for name in ("all", "more")])
    return select_named(grids, load_results(folder / "results", pytest.fail))


def test_a_grid_has_a_table_of_the_cluster_where_it_was_submitted_alone(tables):
    """The naive case is of both grids, and ten micro-batches are a part of the second."""
    assert [(t.grid.name, t.profile) for t in tables] == [("all", "first"), ("more", "second")]


def test_values_that_chose_cases_of_one_grid_give_another_no_table(tables):
    assert [table.changed for table in tables] == [{}, {}]


def test_cases_that_were_not_chosen_have_no_row(tables):
    _, more = tables
    assert {row.case.micro_batches for row in more.rows if row.case.schedule != "naive"} == {20}
    assert all(row.result is not None for row in more.rows)


def test_a_grid_that_another_one_answers_in_full_has_a_table_there_too(tmp_path):
    (tmp_path / "all.yaml").write_text(ALL)
    results = tmp_path / "results"
    measure(results, "first", "all", NAIVE, *FEW)
    measure(results, "second", "other", NAIVE, *FEW)
    measure(results, "third", "other", NAIVE)
    write(results, "fourth", NAIVE)  # whose ledger was lost
    grids = load_grids([str(tmp_path / "all.yaml")])
    found = select_named(grids, load_results(results, pytest.fail))
    assert [table.profile for table in found] == ["first", "fourth", "second"]


def test_the_first_page_names_the_cluster_of_its_sentences_and_its_figure(tables):
    document = make_document(tables, with_figures=True)
    assert [section.title for section in document.sections] == [
        "All schedules (first)",
        "More micro-batches (second)",
    ]
    assert document.glance_title == "At a glance"
    told = [text.partition(": ")[0] for text in document.glance]
    assert {"first" in text for text in told} == {True, False}
    assert all(text.endswith(("luster first", "luster second")) for text in told)


def test_the_figure_of_the_first_page_is_of_the_cluster_with_most_tables(tables):
    one, other = tables
    for chosen in ([one, one, other], [one, other, one]):
        document = make_document(chosen, with_figures=True)
        assert document.glance_figure.caption.startswith("All schedules (first). ")
    document = make_document([one, other, other], with_figures=True)
    assert document.glance_figure.caption.startswith("More micro-batches (second). ")


def test_one_cluster_is_not_named(tables):
    document = make_document(tables[:1])
    assert document.sections[0].title == "All schedules"
    assert document.glance_title == "At a glance"


def test_sentences_on_other_kinds_of_tables_name_their_cluster_too(tmp_path):
    write(tmp_path, "one", result(gpus=2, step_s=0.1), result(gpus=5, step_s=0.05))
    write(tmp_path, "two", result("task3"))
    profiles = load_results(tmp_path, pytest.fail)
    grids = load_grids(["task3", "task4"])
    document = make_document(
        [
            table
            for grid, profile in zip(grids, ("two", "one"), strict=True)
            for table in select_named([grid], profiles)
            if table.profile == profile
        ]
    )
    assert {text.partition(":")[0] for text in document.glance} == {"Cluster one", "Cluster two"}
    assert document.glance_title == "At a glance"


def test_sentences_of_one_cluster_of_two_have_it_in_their_heading(tables):
    silent = replace(tables[1], rows=[])
    document = make_document([tables[0], silent])
    assert document.glance_title == "At a glance (first)"
    assert not any("luster" in text for text in document.glance)
