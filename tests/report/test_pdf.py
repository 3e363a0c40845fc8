"""A PDF that holds everything the document says, as text, and always in the same bytes."""

import io
import subprocess
import sys

import pypdf
import pytest

from report.document import Answer, Details, Document, Figure, Listing, Section, Table
from report.formats.pdf import render_pdf
from study.errors import ConfigError

pytestmark = pytest.mark.long

DRAWING = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="200" height="{height}">'
    '<rect x="10" y="10" width="180" height="40" fill="#0a7bc1"/></svg>'
)
HOSTILE = [
    '#panic("no") #import "x" $x$ *b* _c_ @ref ~ -- ...',
    "[x] {y} \\ \\u{41} // /* */ <script>alert('1')</script> \"q\"",
    "=1+1",
    "- a",
    "+ a",
    "`unclosed",
    "{{ x }} %s ${HOME}",
]


def section(title="Task 4", **changes):
    values = {
        "facts": ["Hardware: made up."],
        "table": Table(["depth", "step time"], [["20", "2.281 ms (2.086 ms – 2.635 ms)"]]),
        "answers": [Answer("Is it faster?", ["No, it does not."])],
    }
    return Section(title, **(values | changes))


def document(*sections, title="A report", about=(("Hardware", "NVIDIA A100"),), **parts):
    return Document(title, about, sections, **parts)


def pages(*sections, **keys):
    """The text of each page."""
    reader = pypdf.PdfReader(io.BytesIO(render_pdf(document(*sections, **keys))))
    return [page.extract_text() for page in reader.pages]


def packed(text):
    """The text without white space, since lines break where the page ends."""
    return "".join(text.split())


def text_of(*sections, **keys):
    return packed("".join(pages(*sections, **keys)))


def in_every_field(text):
    """A section and a document that say this everywhere."""
    table = Table([text, "other"], [[text, "1"]], text)
    figure = Figure(text, DRAWING.format(height=60), text)
    everything = section(
        text,
        facts=[text, f"EMULATED {text}"],
        table=table,
        answers=[Answer(text, [text])],
        details=Details([text], [table]),
        figures=[figure],
        listings=[Listing(text, text)],
    )
    glance = {"warnings": [f"EMULATED {text}"], "glance": [text], "glance_figure": figure}
    return document(everything, title=text, about=[(text, text)], method=[text], **glance)


def test_the_file_is_a_pdf_with_the_title_of_the_document():
    data = render_pdf(document(section()))
    assert data.startswith(b"%PDF-")
    assert pypdf.PdfReader(io.BytesIO(data)).metadata.title == "A report"


def test_everything_that_a_document_says_stands_in_it():
    shown = section(
        details=Details(tables=[Table(["GPU", "idle"], [["0", "42.5 %"]], "Where the time goes")]),
        figures=[Figure("Step time by depth", DRAWING.format(height=60), "a bar")],
        listings=[Listing("The rule", "def rule(i):\n    return i  # whole-number\n")],
    )
    text = text_of(shown, section("Task 5", answers=[Answer("", ["Yes."])]))
    for said in (
        *("A report", "Hardware", "NVIDIA A100", "Task 4", "Hardware: made up.", "Task 5", "Yes."),
        *("depth", "step time", "20", "2.281 ms (2.086 ms – 2.635 ms)", "No, it does not."),
        "Q1 Is it faster?",
        *("Where the time goes", "GPU", "idle", "42.5 %", "Step time by depth"),
        *("The rule", "def rule(i):", "return i  # whole-number"),
    ):
        assert packed(said) in text


def test_the_first_page_comes_first_then_each_question_with_its_answer_and_what_shows_it():
    figure = Figure("A drawing", DRAWING.format(height=60), "a bar")
    details = Details(tables=[Table(["x"], [["1"]], "A detail")])
    shown = section(figures=[figure], details=details, listings=[Listing("Some code", "x = 1")])
    first = {"warnings": ["EMULATED: some."], "glance": ["Best of all."], "glance_figure": figure}
    text = text_of(shown, **first, method=["With a clock."])
    parts = [
        *("NVIDIAA100", "Ataglance", "Bestofall.", "EMULATED:some.", "Figure1.", "Task4"),
        *("Hardware:madeup.", "Q1", "No,itdoesnot.", "Table1.", "Figure2.", "Listing1."),
        *("Howitwasmeasured", "Withaclock.", "Appendix", "Adetail"),
    ]
    assert sorted(parts, key=text.index) == parts


def test_a_section_says_where_its_evidence_is():
    figure = Figure("A drawing", DRAWING.format(height=60), "a bar")
    details = Details(tables=[Table(["x"], [["1"]], "A detail")])
    text = text_of(section(figures=[figure], details=details), section("Task 5"))
    assert "ShownbyTable1andFigure1;detailsonpage1." in text
    assert text.count("Shownby") == 1  # a table alone follows its answer anyway


@pytest.mark.parametrize("hostile", HOSTILE)
def test_markup_in_data_arrives_as_text_in_every_field(hostile):
    reader = pypdf.PdfReader(io.BytesIO(render_pdf(in_every_field(hostile))))
    text = packed("".join(page.extract_text() for page in reader.pages))
    # Title, about (2), warning, glance, figure; heading, facts (2), question and answer, listing
    # (2), figure; method; heading and fact of the appendix; two tables of 3.
    footers = len(reader.pages)
    assert text.count(packed(hostile)) == 6 + 8 + 1 + 2 + 6 + footers
    assert reader.metadata.title == " ".join(hostile.split())


@pytest.mark.parametrize(
    "odd",
    ["a\x00b\x1b[31m\x7f", "a\r\n\tb\u2028c", "a\u202eb\ud800c", "中文 Привет العربية 😀", "", " "],
)
def test_no_character_breaks_the_document(odd):
    assert render_pdf(in_every_field(odd)).startswith(b"%PDF-")


def test_text_between_backticks_loses_them():
    told = Answer("", ["At `x = x.to(layer_device)` data moves; a ` alone stays."])
    text = text_of(section(answers=[told]))
    assert "Atx=x.to(layer_device)datamoves;a`alonestays." in text


def test_what_a_person_named_keeps_its_backticks():
    data = render_pdf(document(section(), title="`a`", about=[("Author", "`b`")]))
    text = packed(pypdf.PdfReader(io.BytesIO(data)).pages[0].extract_text())
    assert "`a`" in text
    assert "`b`" in text


def test_a_long_table_has_its_header_on_each_page():
    table = Table(["row", "value"], [[f"row {i}", f"{i}.5 ms"] for i in range(300)])
    found = pages(section(table=table))
    assert len(found) > 3
    text = packed("".join(found))
    assert all(f"row{i}{i}.5ms" in text for i in range(300))
    assert all("row value" in page for page in found if "row 1" in page)


def test_a_row_stays_on_one_page_unless_it_is_longer_than_that():
    def many(words):
        rows = [[f"row {i}", f"begin{i} {'word ' * words} end{i}"] for i in range(30)]
        return pages(section(table=Table(["row", "notes"], rows)))

    found = many(100)
    assert len(found) > 2
    assert all(
        (f"begin{i} " in page) == (f"end{i}\n" in f"{page}\n") for page in found for i in range(30)
    )
    assert "end29" in many(3000)[-1]


def test_twelve_columns_and_long_words_stay_within_the_margins():
    path = "/a/very/long/path/" + "deadbeef" * 20
    rows = [[f"{i}.25 GiB", *["5 (emulated)"] * 10, path] for i in range(3)]
    data = render_pdf(document(section(table=Table([f"column {i}" for i in range(12)], rows))))
    page = pypdf.PdfReader(io.BytesIO(data)).pages[0]
    starts = []
    page.extract_text(visitor_text=lambda text, cm, tm, *_: starts.append((text, tm[4])))
    assert packed(path) in packed("".join(text for text, _ in starts))
    assert max(x for text, x in starts if text.strip()) < float(page.mediabox.width) - 57


def test_a_hundred_columns_become_small_and_stay():
    columns = [f"GPU {i}" for i in range(100)]
    text = text_of(section(table=Table(columns, [[str(1000 + i) for i in range(100)]])))
    assert all(str(1000 + i) in text for i in range(100))


def test_a_table_without_rows_shows_its_header():
    assert "depth" in text_of(section(table=Table(["depth"], [])))


def test_a_figure_is_drawn_with_its_words_for_those_who_cannot_see_it():
    without = render_pdf(document(section()))
    shown = render_pdf(document(section(figures=[Figure("f", DRAWING.format(height=60), "a bar")])))
    assert drawn(without) == 0
    assert drawn(shown) == 1
    assert b"a bar" in shown


def drawn(data):
    """How often the rectangle of the drawing's colour is painted, wherever it stands."""
    writer = pypdf.PdfWriter(clone_from=io.BytesIO(data))
    streams = [o.get_data() for o in writer._objects if isinstance(o, pypdf.generic.StreamObject)]
    colour = b"0.039215688 0.48235294 0.75686276"
    return sum(stream.count(colour) for stream in streams)


def test_lines_below_a_table_explain_its_letters():
    table = Table(["depth", "notes"], [["20", "a"]], notes=["a: 14 of 4925 steps are outliers"])
    text = text_of(section(table=table))
    assert text.index("20a") < text.index("a:14of4925stepsareoutliers")


def test_a_figure_taller_than_a_page_is_made_to_fit():
    tall = Figure("f", DRAWING.format(height=4000), "a tower")
    assert len(pages(section(figures=[tall]))) <= 3


def test_emulation_stands_in_a_frame():
    amber = b"1 0.96862745 0.9019608"
    plain, framed = (
        render_pdf(document(section(facts=[fact]))) for fact in ("Measured.", "EMULATED: 1 of 2.")
    )
    assert "EMULATED:1of2." in text_of(section(facts=["EMULATED: 1 of 2."]))
    assert count(plain, amber) == 0
    assert count(framed, amber) == 1


def count(data, operands):
    pages_of = pypdf.PdfReader(io.BytesIO(data)).pages
    return sum(page.get_contents().get_data().count(operands) for page in pages_of)


def test_a_document_without_sections_is_its_title_block():
    (page,) = pages()
    assert "NVIDIA A100" in page


def test_the_same_document_gives_the_same_bytes_in_any_process():
    program = (
        "import sys; from tests.report.test_pdf import in_every_field, render_pdf;"
        "sys.stdout.buffer.write(render_pdf(in_every_field('x')))"
    )
    here = render_pdf(in_every_field("x"))
    there = subprocess.run(
        [sys.executable, "-c", program],
        check=True,
        capture_output=True,
        env={"TZ": "Asia/Tokyo", "SOURCE_DATE_EPOCH": "1000000000", "LC_ALL": "C"},
    ).stdout
    assert here == render_pdf(in_every_field("x")) == there
    assert b"CreationDate" not in here
    assert b"/tmp" not in here


def test_what_cannot_be_set_names_its_section():
    broken = section("Task 2", figures=[Figure("f", "<svg", "nothing")])
    with pytest.raises(ConfigError, match=r"section 'Task 2': .*SVG"):
        render_pdf(document(section(), broken))
