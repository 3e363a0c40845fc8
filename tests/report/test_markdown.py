"""Markdown that no error message, GPU name or title can break."""

import pytest

from report.document import Answer, Section, Table
from report.formats.markdown import escape, render
from tests.report.made_up import failed, write
from tests.report.shown import only_section

NASTY = "a|b\n<img src=x>\n\n| c\\"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain – text", "plain – text"),
        ("a|b", "a\\|b"),
        ("<script>", "&lt;script>"),
        ("one\ntwo\r\n\tthree", "one two three"),
        ("\\|", "\\\\\\|"),
        ("__init__ of time_limit_s", "\\_\\_init\\_\\_ of time_limit_s"),
        ("5*3 ~ &lt; & b", "5\\*3 \\~ &amp;lt; & b"),
        ("at `i < depth // 2`", "at `i < depth // 2`"),
        ("a ` <b> `c|d` <e>", "a ` <b> `c\\|d\\` &lt;e>"),
        ("`|` <b> `c", "\\`\\|` <b> `c"),
    ],
)
def test_text_neither_ends_a_cell_nor_becomes_html(text, expected):
    assert escape(text) == expected


def test_a_nasty_error_message_stays_in_its_cell(tmp_path):
    write(tmp_path, "slurm", failed("error", NASTY, gpus=2))
    text = "".join(render([only_section(tmp_path)]))
    header, _, row, _ = [line for line in text.splitlines() if line.startswith("|")]
    assert row.replace("\\|", "").count("|") == header.count("|")
    assert "failed: error: a\\|b &lt;img src=x> \\| c\\\\" in row
    assert "<" not in text


def test_a_section_is_title_facts_questions_with_answers_and_table():
    told = [Answer("Is it?", ["Yes.", "It is."]), Answer("", ["2 cases are missing."])]
    table = Table(["x", "GPU 0"], [["010", "–"]], notes=["a: *one*", "b: two"])
    section = Section("A | b", ["one", "two"], told, table)
    title, facts, *answers, table, notes = "".join(render([section])).rstrip("\n").split("\n\n")
    assert title == "## A \\| b"
    assert facts == "one  \ntwo"
    assert answers == ["**Q1 Is it?**", "- Yes.\n- It is.", "2 cases are missing."]
    assert [cell.strip() for cell in table.splitlines()[2].strip("|").split("|")] == ["010", "–"]
    assert notes == "a: \\*one\\*  \nb: two"


def test_what_the_title_block_says_once_comes_first():
    section = Section("A", [], [], Table(["x"], [["1"]]))
    about = [("Author", "Ada"), ("Hardware", "4 × H100"), ("Setting", "dim 8"), ("Commit", "abc")]
    first = "".join(render([section], about=about)).split("\n\n")[0]
    assert first == "Hardware: 4 × H100. Setting: dim 8."


def test_twenty_cases_take_few_lines():
    rows = [[str(case), "2.35 ms (2.00 – 2.49)"] for case in range(20)]
    told = [Answer("Is it faster?", ["Yes."]), Answer("Why?", ["It has more GPUs."])]
    section = Section("A grid", ["Setting: dim 8."], told, Table(["depth", "step time"], rows))
    assert "".join(render([section])).count("\n") <= 22 + 13


def test_sections_follow_one_another_with_an_empty_line_between():
    section = Section("A", ["f"], [Answer("", ["a"])], Table(["x"], [["1"]]))
    assert "".join(render([section, section])).count("\n\n## A\n\n") == 1
