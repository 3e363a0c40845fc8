"""The report of docs/example, the pages that are shown of it, and the headline, from its results.

    python benchmarks/sample.py                  writes into docs/example
    python benchmarks/sample.py --out FOLDER     elsewhere, to look at first

report.pdf has the bytes that the command of docs/example/README.md writes. Needs pypdf, which the
tests need, too.
"""

import argparse
import io
import re
import sys
from pathlib import Path

import pypdf
import typst
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from report.data.grids.submitted import select_named
from report.data.load import load_results
from report.data.selection import GridTable
from report.document import Document
from report.figures import schedules
from report.formats.pdf import TEMPLATE, render_pdf, template_inputs
from report.make import make_document
from study.grids.file import load_grids
from study.paths import ROOT

EXAMPLE = ROOT / "docs/example"
NAMES = ("schedules", "gpt", "gpt-batch", "pipelines", "graphs")
GRIDS = ("homework", *(f"docs/example/grids/{name}.yaml" for name in NAMES))
AUTHOR = "mpbench's example"
TITLE = "Homework 3: what happens when a model is split over several GPUs"
PAGE_PPI, HEADLINE_PPI = 72.0, 120.0
FINER = 2  # times the resolution at which pages are drawn: typst cuts letters of figures at 72 ppi
# The first page that has this text, but for the page at a glance.
PAGES = {
    "page-task4": "Are all GPUs used?",
    "page-schedules": "Which schedule is fastest, and what holds it back?",
    "page-times": "Step time of each schedule",
    "page-gpt": "Which schedule is fastest on each number of GPUs?",
    "page-pipelines": "Do fused weight gradients make a step faster?",
    "page-graphs": "have no eager steps to be compared with.",
}
HEADLINE = """#set page(width: auto, height: auto, margin: 4pt, fill: white)
#image(bytes(sys.inputs.svg), format: "svg", width: 6.3in)
"""


def main() -> None:
    """Write the report and its pictures, and say which pages they are."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--out", type=Path, default=EXAMPLE)
    out: Path = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    tables = sample_tables()
    document = make_document(tables, TITLE, AUTHOR, with_figures=True, with_details=True)
    report = render_pdf(document)
    (out / "report.pdf").write_bytes(report)
    drawn = pictures(document)
    shown = {"page-01": 1} | {name: page_with(text, report) for name, text in PAGES.items()}
    for name, number in shown.items():
        (out / f"{name}.png").write_bytes(drawn[number - 1])
        print(f"{name}.png: page {number} of {len(drawn)}")
    (out / "headline.png").write_bytes(headline(tables))


def sample_tables() -> list[GridTable]:
    """Return the tables of the sample's grids, as `collect.py --grid` has them."""
    profiles = load_results(EXAMPLE / "results", sys.exit)
    grids = load_grids([str(ROOT / name) if "/" in name else name for name in GRIDS])
    return select_named(grids, profiles)


def pictures(document: Document) -> list[bytes]:
    """Return every page as a PNG, drawn finer and then reduced."""
    inputs = template_inputs(document)
    made = typst.compile(
        TEMPLATE, format="png", ppi=FINER * PAGE_PPI, sys_inputs=inputs, ignore_system_fonts=True
    )
    return [_reduced(page) for page in (made if isinstance(made, list) else [made])]


def _reduced(page: bytes) -> bytes:
    small = io.BytesIO()
    Image.open(io.BytesIO(page)).convert("RGB").reduce(FINER).save(small, "PNG", optimize=True)
    return small.getvalue()


def page_with(text: str, report: bytes) -> int:
    """Return the number of the first page behind page 1 with this text."""
    for number, page in enumerate(pypdf.PdfReader(io.BytesIO(report)).pages, 1):
        if number > 1 and text in re.sub(r"\s+", " ", page.extract_text()):
            return number
    sys.exit(f"error: no page has {text!r}")


def headline(tables: list[GridTable]) -> bytes:
    """Return the step times of all schedules as a PNG."""
    (table,) = (table for table in tables if table.grid.name == "schedules")
    figure = schedules.make_figure(table.results)
    assert figure is not None
    made = typst.compile(
        HEADLINE.encode(), format="png", ppi=HEADLINE_PPI, sys_inputs={"svg": figure.svg}
    )
    assert isinstance(made, bytes)
    return made


if __name__ == "__main__":
    main()
