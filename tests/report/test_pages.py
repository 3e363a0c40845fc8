"""Pages of a PDF: well filled, and set in letters that one can read."""

import io
import re

import matplotlib.image
import pypdf
import pytest
import typst

from report.data.grids.submitted import select_named
from report.data.load import load_results
from report.document import Answer, Details, Document, Figure, Section, Table
from report.formats.pdf import TEMPLATE, render_pdf, template_inputs
from report.make import make_document
from study.grids.file import load_grids
from tests.conftest import ROOT

pytestmark = pytest.mark.long

PPI = 40
TOP, BOTTOM, HEIGHT = 2, 2.2, 29.7  # cm: margins and paper
SAMPLE = ROOT / "docs/example/results"


def filled(document):
    """The share of each page's height down to its last ink."""
    inputs = template_inputs(document)
    made = typst.compile(
        TEMPLATE, format="png", ppi=PPI, sys_inputs=inputs, ignore_system_fonts=True
    )
    return [_filled(page) for page in (made if isinstance(made, list) else [made])]


def _filled(png):
    rows = matplotlib.image.imread(io.BytesIO(png))[..., :3].min(axis=(1, 2))
    first, last = (round(len(rows) * at / HEIGHT) for at in (TOP, HEIGHT - BOTTOM))
    inked = [number for number, darkest in enumerate(rows[first:last]) if darkest < 0.9]
    return (max(inked, default=-1) + 1) / (last - first)


def test_every_page_of_the_example_but_the_last_is_two_thirds_full():
    profiles = load_results(SAMPLE, pytest.fail)
    names = ("schedules", "gpt", "gpt-batch", "pipelines", "graphs")
    files = (f"{ROOT}/docs/example/grids/{name}.yaml" for name in names)
    tables = select_named(load_grids(["homework", *files]), profiles)
    shares = filled(make_document(tables, with_figures=True, with_details=True))
    assert len(shares) > 8
    assert min(shares[:-1]) >= 0.66, shares


def sizes(*tables):
    """The font size of every piece of text in these tables, captions included."""
    sections = [Section("T", [], [], table) for table in tables]
    found = []
    for page in pypdf.PdfReader(io.BytesIO(render_pdf(Document("T", [], sections)))).pages:
        # Nothing of the footer, which is set small.
        page.extract_text(
            visitor_text=lambda text, cm, tm, font, size: (
                found.append((round(size * tm[3] * cm[3], 2), text))
                if text.strip() and tm[5] * cm[3] + cm[5] > 60
                else None
            )
        )
    return found


LAYERS = ["depth", "GPUs", *(f"layers of GPU {gpu}" for gpu in range(8)), "notes"]
MEMORY = ["depth", "GPUs", "step time (95 % CI)", *(f"memory of GPU {gpu}" for gpu in range(8))]
SCHEDULE = ["GPUs", "schedule", "micro-batches", "step time (95 % CI)", "speed-up over 1 GPU"]
SCHEDULE += ["efficiency", "samples/s", "cost of a step", "bubble", "bubble by formula"]
SCHEDULE += ["peak memory", "notes"]
PARTS = ["depth", "GPUs", "GPU", "parameters", "gradients", "optimizer state", "activations"]
PARTS += ["temporaries", "cuBLAS", "predicted", "allocated", "difference", "reserved"]
PARTS += ["in use (driver)"]
STEP = "181.2 ms (178.9 – 183.4)"


@pytest.mark.parametrize(
    ("columns", "cells"),
    [
        (LAYERS, ["20", "8", *["10–12 (3)"] * 8, "a, b"]),
        ([*MEMORY, "notes"], ["20", "8", STEP, *["1.32 GiB"] * 8, "a"]),
        (SCHEDULE, ["8", "interleaved 1F1B", "16", STEP, "about 4.1", "about 53 %", "334000",
                    "1220 GPU-ms", "12.7 %", "11.1 %", "3.73 GiB", "a, b, c"]),
        (PARTS, ["20", "8 (emulated)", "7", *["0.438 GiB"] * 7, "1.32 GiB", "+0.0 %",
                 "2.59 GiB", "3.33 GiB"]),
    ],
)  # fmt: skip
def test_tables_of_eight_gpus_are_set_in_eight_points_or_more(columns, cells):
    found = sizes(Table(columns, [cells] * 4, "Caption", ["a: one", "b: two"]))
    assert min(found)[0] >= 8, min(found)


def test_a_row_for_each_of_64_gpus_fits_on_a_page():
    rows = [[f"memory of GPU {gpu}", "1.32 GiB", "1.40 GiB"] for gpu in range(64)]
    table = Table(["", "16 GPUs", "64 GPUs"], rows)
    document = Document("T", [], [Section("T", [], [], table)])
    (page,) = pypdf.PdfReader(io.BytesIO(render_pdf(document))).pages
    text = page.extract_text()
    assert all(f"memory of GPU {gpu}" in text for gpu in range(64))
    assert text.count("16 GPUs") > 1  # each part has its heading


def test_the_lines_below_a_long_table_stay_with_its_last_row():
    for count in range(40, 60):
        rows = [[f"row {at}", "a" * 40, "word " * 8, "word " * 8] for at in range(count)]
        table = Table(["x", "y", "z", "w"], rows, "Caption", ["a: one", "b: " + "word " * 30])
        data = render_pdf(Document("T", [], [Section("T", [], [], table)]))
        last = pypdf.PdfReader(io.BytesIO(data)).pages[-1].extract_text()
        assert "a: one" in last
        assert f"row {count - 1}" in last


def test_no_figure_leaves_its_section_and_none_comes_before_its_heading():
    bar = '<svg xmlns="http://www.w3.org/2000/svg" width="400" height="260"></svg>'
    rows = [[f"row {at}", "1"] for at in range(12)]

    def section(name):
        shown, kept = (Figure(f"{where} of {name}", bar, "") for where in ("drawing", "detail"))
        details = Details([], [Table(["x", "y"], rows, f"table of {name}")], figures=[kept])
        answers = [Answer("Why?", ["So. " * 200])]
        return Section(
            f"Part {name}", [], answers, Table(["x"], [["1"]], "T"), [shown], details=details
        )

    data = render_pdf(Document("T", [], list(map(section, "ABC"))))
    text = " ".join(page.extract_text() for page in pypdf.PdfReader(io.BytesIO(data)).pages)
    found = re.findall(r"Part [ABC]|drawing of [ABC]|detail of [ABC]", text)
    shown = [text for name in "ABC" for text in (f"Part {name}", f"drawing of {name}")]
    assert found == shown + [text.replace("drawing", "detail") for text in shown]
