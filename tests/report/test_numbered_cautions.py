"""Cautions within sentences: one is said in words, several have numbers and are said once."""

import pytest

from report.data.load import load_results
from report.data.selection import select_tables
from report.make import make_document
from report.wording.cautions import inner_mark, mark, numbered, spelled_out
from tests.report.made_up import grid, result, write
from tests.report.made_up_conditions import at_clock
from tests.report.shown import only_section, sentences

BOTH = ["GPU 0 was slow", "another job ran"]


def test_without_cautions_a_sentence_has_no_mark():
    assert mark([]) == ""
    assert spelled_out("It is faster.") == "It is faster."


def test_a_caution_joins_the_parentheses_before_it():
    text = f"It is faster (95 % CI 1 to 2){mark(BOTH)}."
    assert spelled_out(text) == (
        "It is faster (95 % CI 1 to 2; caution: GPU 0 was slow and another job ran)."
    )
    assert numbered([text], {}) == ["It is faster (95 % CI 1 to 2; cautions 1, 2)."]


def test_a_caution_keeps_its_number_in_all_sentences():
    numbers = {}
    texts = [f"A{mark(BOTH)}.", f"B (9 ms; {inner_mark(BOTH[1:])})."]
    assert numbered(texts, numbers) == ["A (cautions 1, 2).", "B (9 ms; caution 2)."]
    assert numbers == {"GPU 0 was slow": 1, "another job ran": 2}


def depths(folder, *mhz):
    jobs = [result("task2", depth=d, gpus=2, step_s=d / 100) for d in (6, 12, 24)]
    write(folder, "slurm", jobs[0], *(at_clock(j, m) for j, m in zip(jobs[1:], mhz, strict=True)))
    return sentences(only_section(folder, "task2"))


def test_one_caution_of_a_section_is_said_where_it_belongs(tmp_path):
    text = " ".join(depths(tmp_path, 1410, 1200))
    assert "(caution: GPU 0 ran at 1200 of 1410 MHz at depth 24)" in text
    assert "Caution 1" not in text


def test_several_are_said_once_below_the_answers(tmp_path):
    found = depths(tmp_path, 1200, 1000)
    assert "(caution 1)" in found[0]
    assert "(caution 2)" in found[0]
    assert found[-1] == (
        "Caution 1: GPU 0 ran at 1200 of 1410 MHz at depth 12. "
        "Caution 2: GPU 0 ran at 1000 of 1410 MHz at depth 24."
    )


def test_the_first_page_has_them_in_words(tmp_path):
    depths(tmp_path, 1200, 1000)
    profiles = load_results(tmp_path, pytest.fail)
    tables = [table for name in ("task1", "task2") for table in select_tables(grid(name), profiles)]
    (line,) = (text for text in make_document(tables).glance if "depth" in text)
    assert "(caution: " in line
    assert line.isprintable()
