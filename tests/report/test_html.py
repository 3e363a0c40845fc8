"""The page: text stays text, it needs nothing else, and in a browser it does what it says."""

import json
import os
import shutil
from base64 import b64encode
from hashlib import sha256
from xml.etree import ElementTree

import pytest

from report.document import Answer, Details, Document, Figure, Listing, Section, Table
from report.formats.html import SCRIPT, STYLE, render_html
from tests.report.chromium import Browser

NASTY = (
    "<script>alert(1)</script> \" ' & </style> javascript:x =1+1 $x {y} \\ <!-- \x00\x07\x1b \u202e"
)
SHOWN = "<script>alert(1)</script> \" ' & </style> javascript:x =1+1 $x {y} \\ <!--"
SVG = """<?xml version="1.0" encoding="utf-8" standalone="no"?>
<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://www.w3.org/Graphics/SVG/1.1/DTD/svg11.dtd">
<svg xmlns:xlink="http://www.w3.org/1999/xlink" width="400pt" height="100pt" viewBox="0 0 400 100"
 xmlns="http://www.w3.org/2000/svg" version="1.1">
<metadata>made by somebody</metadata>
<defs><style type="text/css">*{stroke-linecap: butt}</style>
<path id="glyph" d="M 0 0 L 9 9"/></defs>
<g id="axes"><rect width="400" height="100" style="fill: #ffcc00; stroke-linejoin: miter"/>
<use xlink:href="#glyph" x="5" style="fill: #ffcc00"/><text x="9" y="50">time</text></g></svg>"""
DURATIONS = ["–", "2 s", "5.656 ms (5.634 ms – 5.68 ms)", "900 µs", "not measured", "10.1 ms"]


def figure(svg=SVG, alt="Two bars.", zooms=False):
    return Figure("Where the time goes", svg, alt, zooms=zooms)


def section(**changes):
    rows = [[text, str(i), "a long note " * 9] for i, text in enumerate(DURATIONS)]
    values = {
        "title": "Task 4",
        "facts": ["Profile: local.", "EMULATED: no real GPUs."],
        "table": Table(["step time", "GPUs", "notes"], rows),
        "answers": [Answer("Which GPU?", ["Layer i goes to GPU `i * gpus // depth`."])],
        "details": Details(tables=[Table(["a"], [["1"]], "Details of it")]),
        "figures": [figure(zooms=True), figure()],
        "listings": [Listing("the rule", "def f():\n    return 1 < 2")],
    }
    return Section(**(values | changes))


def document(*sections, title="A report", about=(("Hardware", "NVIDIA A100"),), **parts):
    return Document(title, about, sections or (section(),), **parts)


def parsed(page):
    """The page as a tree; it is well-formed XML too, but for what the script may hold."""
    return ElementTree.fromstring(page.replace(SCRIPT.read_text(), ""))


def text_of(element):
    return " ".join("".join(element.itertext()).split())


NASTY_PLACES = {
    "title": document(title=NASTY),
    "about": document(about=[(NASTY, NASTY)]),
    "heading": document(section(title=NASTY)),
    "fact": document(section(facts=[NASTY])),
    "table": document(section(table=Table([NASTY], [[NASTY]], NASTY))),
    "question": document(section(answers=[Answer(NASTY, [])])),
    "answer": document(section(answers=[Answer("", [NASTY])])),
    "details": document(section(details=Details(tables=[Table([NASTY], [[NASTY]], NASTY)]))),
    "fact of the details": document(section(details=Details([NASTY]))),
    "note": document(section(table=Table(["x"], [["1"]], notes=[NASTY]))),
    "warning": document(warnings=[NASTY]),
    "glance": document(glance=[NASTY]),
    "method": document(method=[NASTY]),
    "listing": document(section(listings=[Listing(NASTY, NASTY)])),
    "figure": document(section(figures=[Figure(NASTY, SVG, NASTY)])),
}


@pytest.mark.parametrize("place", NASTY_PLACES)
def test_text_stays_text_wherever_it_stands(place):
    page = render_html(NASTY_PLACES[place])
    assert SHOWN in text_of(parsed(page))
    assert page.count("<script") == page.count("</style>") == 1
    assert not {c for c in page if not c.isprintable()} - {"\n"}


def test_what_a_person_named_keeps_its_backticks():
    page = render_html(document(title="`a`", about=[("Author", "`b`")]))
    assert "<h1>`a`</h1>" in page
    assert "<dd>`b`</dd>" in page


def test_a_section_is_heading_facts_answers_table_figures_listings_details():
    page = parsed(render_html(document()))
    found = page.find(".//section")
    kinds = " ".join(f"{part.tag}.{part.get('class', '')}".rstrip(".") for part in found)
    order = "h2 div.facts h3 div.answers p.evidence figure figure.drawn figure.drawn figure details"
    assert kinds == order
    assert [text_of(head) for head in found.iter("th")] == ["step time", "GPUs", "notes", "a"]
    captions = [text_of(caption) for caption in found.iter("figcaption")]
    assert captions == [
        "Table 1. Task 4",
        "Figure 1. Where the time goes",
        "Figure 2. Where the time goes",
        "Listing 1. the rule",
        "Table 2. Details of it",
    ]
    assert text_of(found.find("h3")) == "Q1 Which GPU?"
    assert text_of(found.find("div[@class='answers']//code")) == "i * gpus // depth"
    assert found.find("figure/pre/code").text == "def f():\n    return 1 < 2"
    assert text_of(found.find(".//p[@class='emulated']")).startswith("EMULATED")


def test_a_section_links_to_what_shows_its_answers():
    page = parsed(render_html(document(section(), section(), glance_figure=figure())))
    _, _, second = page.findall(".//section")
    line = second.find("p[@class='evidence']")
    assert text_of(line) == "Shown by Table 3, Figures 4 and 5 and Listing 2."
    ids = [element.get("id") for element in second.iter() if element.get("id")]
    assert all(link.get("href")[1:] in ids for link in line.iter("a"))


def test_the_first_page_is_before_all_sections_and_the_method_behind_them():
    first = {"warnings": ["EMULATED: some."], "glance": ["Best."], "glance_figure": figure()}
    page = parsed(render_html(document(**first, method=["By a clock."])))
    glance, _, method = page.findall(".//section")
    assert [part.tag for part in glance] == ["h2", "ul", "p", "figure"]
    assert glance.find("p").get("class") == "emulated"
    assert text_of(glance.find("figure/figcaption")).startswith("Figure 1.")
    assert text_of(method) == "How it was measured By a clock."


def test_figures_tables_and_listings_are_counted_through_all_sections():
    page = parsed(render_html(document(section(), section())))
    numbers = [text_of(caption.find("b")) for caption in page.iter("figcaption")]
    assert numbers[5:] == ["Table 3.", "Figure 3.", "Figure 4.", "Listing 2.", "Table 4."]


def test_a_short_cell_may_be_wrapped_between_its_parts_alone():
    cells = ["5.656 ms (5.634 ms – 5.68 ms)", "1.316 GiB / 1.326 GiB", "GPU 0 to GPU 1"]
    page = render_html(document(section(table=Table(["a", "b", "c"], [cells]))))
    assert "<td>5.656 ms <wbr/>(5.634 ms – 5.68 ms)</td>" in page
    assert "<td>1.316 GiB / <wbr/>1.326 GiB</td>" in page
    assert "<td>GPU 0 to GPU 1</td>" in page


def test_no_line_of_an_answer_ends_between_a_number_and_its_unit(browser, tmp_path):
    told = "Layers 0–2 on GPU 10 take 11 % less time, 6.34 ms, at `8 ms`."
    path = tmp_path / "answer.html"
    page = render_html(document(section(answers=[Answer("", [told])])))
    path.write_text(page, encoding="utf-8")
    pieces = [text_of(span) for span in parsed(page).findall(".//span[@class='together']")]
    assert pieces == ["0–2", "GPU 10", "11 %", "6.34 ms"]
    browser.open(path, width=360)
    heights = "[...document.querySelectorAll('.together')].map(e => e.getClientRects().length)"
    assert browser.run(heights) == [1, 1, 1, 1]


def test_the_contents_lead_to_every_section():
    page = parsed(render_html(document(section(title="One"), section(title="Two"))))
    targets = [section.get("id") for section in page.iter("section")]
    assert [link.get("href") for link in page.find(".//nav").iter("a")] == [
        f"#{t}" for t in targets
    ]
    assert [text_of(link) for link in page.find(".//nav").iter("a")] == ["One", "Two"]


def test_a_drawing_says_what_it_shows_and_keeps_its_ids_to_itself():
    page = render_html(document())
    first, second = parsed(page).iter("svg")
    assert (first.get("role"), first.get("aria-label")) == ("img", "Two bars.")
    assert "made by somebody" not in page
    ids = [element.get("id") for element in parsed(page).iter() if element.get("id")]
    assert len(ids) == len(set(ids))
    for svg in (first, second):
        assert svg.find(".//use").get("href") == f"#{svg.find('.//path').get('id')}"


def test_a_drawing_brings_no_script_and_no_link_to_the_outside():
    bad = SVG.replace(
        "<g ",
        '<script>x()</script><a xlink:href="https://x.org"><text onclick="x()">t</text></a>'
        '<rect style="fill: url(https://x.org)"/><rect style="}body{color:red"/><g ',
    )
    page = render_html(document(section(figures=[figure(bad)])))
    assert page.count("<script") == 1
    assert not {"onclick", "x()", "x.org", "color:red"} & set(page.replace('"', " ").split())
    assert "x.org" not in page


def test_only_the_inlined_style_and_script_are_allowed():
    page = parsed(render_html(document()))
    policy = page.find(".//meta[@http-equiv]").get("content")
    style = b64encode(sha256(page.find(".//style").text.encode()).digest()).decode()
    assert policy.startswith("default-src 'none'; ")
    assert f"style-src 'sha256-{style}';" in policy
    assert "unsafe" not in policy
    assert not [element for element in page.iter() if element.get("style")]


def test_the_page_names_no_address():
    page = render_html(document())
    assert "http://" not in page
    assert "https://" not in page
    assert "</" not in SCRIPT.read_text()
    assert "<" not in STYLE.read_text()


def test_the_same_document_gives_the_same_page():
    assert render_html(document()) == render_html(document())


def test_a_document_without_sections_is_a_page():
    assert text_of(parsed(render_html(Document("Empty", [], []))).find(".//h1")) == "Empty"


# In a browser

UNFOLD = "document.querySelectorAll('details').forEach(details => { details.open = true; })"


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    program = shutil.which("chromium")
    if program is None:
        reason = "no chromium here (apt-get install chromium)"
        (pytest.fail if os.environ.get("MPBENCH_REQUIRE_CHROMIUM") else pytest.skip)(reason)
    browser = Browser(program, tmp_path_factory.mktemp("profile"))
    yield browser
    browser.close()


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "report.html"
    wide = Table([f"column {i}" for i in range(30)], [["1.316 GiB / 1.326 GiB"] * 30], "Wide")
    told = [Answer("z" * 200, ["`" + "y" * 200 + "`"])]
    long = section(title="x" * 200, facts=[NASTY], details=Details(tables=[wide]), answers=told)
    path.write_text(render_html(document(section(), long)), encoding="utf-8")
    return path


def column(browser, index=0):
    code = f"[...document.querySelector('tbody').rows].map(r => r.cells[{index}].textContent)"
    return browser.run(code)


def test_the_browser_asks_for_nothing_else_and_complains_of_nothing(browser, page):
    browser.open(page)
    requests = browser.seen("Network.requestWillBeSent")
    assert {request["request"]["url"] for request in requests} == {page.as_uri()}
    assert not browser.seen("Log.entryAdded", "Runtime.consoleAPICalled", "Runtime.exceptionThrown")


def test_the_policy_lets_nothing_else_run_or_load(browser, page):
    browser.open(page)
    browser.run("document.body.append(Object.assign(document.createElement('script'), "
                "{textContent: 'window.ran = true'}), "
                "Object.assign(new Image(), {src: 'http://127.0.0.1:9/x.png'}))")  # fmt: skip
    assert browser.run("window.ran") is None
    complaints = [entry["entry"]["text"] for entry in browser.seen("Log.entryAdded")]
    assert len([c for c in complaints if "Content Security Policy" in c]) == 2


def test_a_click_on_a_heading_sorts_by_value_and_unit_with_dashes_last(browser, page):
    browser.open(page)
    sorting = "document.querySelector('th').ariaSort"
    browser.run("document.querySelector('th button').click()")
    rising = ["900 µs", DURATIONS[2], "10.1 ms", "2 s", "not measured", "–"]
    assert (column(browser), browser.run(sorting)) == (rising, "ascending")
    browser.run("document.querySelector('th button').click()")
    falling = ["not measured", "2 s", "10.1 ms", DURATIONS[2], "900 µs", "–"]
    assert (column(browser), browser.run(sorting)) == (falling, "descending")
    browser.run("document.querySelector('th button').click()")
    assert (column(browser), browser.run(sorting)) == (DURATIONS, None)


def test_enter_on_a_heading_sorts(browser, page):
    browser.open(page)
    browser.run("document.querySelectorAll('th button')[1].focus()")
    browser.press("Enter")
    browser.press("Enter")
    assert column(browser, 1) == ["5", "4", "3", "2", "1", "0"]


@pytest.mark.parametrize(
    "rising",
    [
        ["100 B", "2 KiB", "1.5 MiB / 9 GiB", "1.316 GiB / 1.326 GiB", "–"],
        ["384.9 kB/s", "2 MB/s", "16.01 GFLOP/s", "1 TFLOP/s"],
        ["−3.5 %", "+0.0 %", "9.5 %", "43.5 %", "failed"],
        ["≈ 0.9", "1.00", "≈ 1.6", "2.01"],
        ["95.3 GPU-ms", "178 GPU-ms", "1.2 GPU-s"],
        ["±0.3 %", "±2.3 %", "±10.4 %"],
        ["2", "5 (emulated)", "10", "3.651e+10"],
        ["GPU 0 to GPU 1", "GPU 2 to GPU 0", "GPU 10 to GPU 0", "– (no copy)"],
    ],
)
def test_cells_are_sorted_by_what_they_mean(browser, page, rising):
    browser.open(page)
    cells = f"{json.dumps(rising[::-1])}.map((textContent) => ({{textContent}}))"
    sort = f"{cells}.sort((a, b) => compare(sortKey(a), sortKey(b))).map(c => c.textContent)"
    assert browser.run(sort) == rising


def test_a_figure_looks_as_its_style_attributes_said(browser, page):
    browser.open(page)
    style = "getComputedStyle(document.querySelector('svg rect'))"
    assert browser.run(f"{style}.fill") == "rgb(255, 204, 0)"
    assert browser.run(f"{style}.strokeLinejoin") == "miter"


def test_a_figure_is_zoomed_and_moved_and_reset(browser, page):
    browser.open(page)
    box = "document.querySelector('svg').getAttribute('viewBox')"
    button = "[...document.querySelectorAll('.zoom button')].find(b => b.title === '{}').click()"
    browser.run(button.format("Zoom in"))
    assert browser.run(box) == "66.667 16.667 266.667 66.667"
    browser.run("document.querySelector('.drawing').dispatchEvent("
                "new KeyboardEvent('keydown', {key: 'ArrowRight'}))")  # fmt: skip
    assert browser.run(box) == "93.333 16.667 266.667 66.667"
    browser.run("document.querySelector('svg').dispatchEvent(new MouseEvent('dblclick'))")
    assert browser.run(box) == "0 0 400 100"


def test_a_figure_is_zoomed_by_the_wheel_and_moved_by_the_mouse(browser, page):
    browser.open(page)
    box = "document.querySelector('svg').getAttribute('viewBox').split(' ').map(Number)"
    browser.run("document.querySelector('svg').scrollIntoView()")
    at = {"x": 600, "y": 100, "button": "left", "buttons": 1, "clickCount": 1}
    wheel = {"type": "mouseWheel", "deltaX": 0, "deltaY": -60}
    browser.ask("Input.dispatchMouseEvent", **at, **wheel)
    assert browser.run(box) == [0, 0, 400, 100]  # a wheel alone scrolls the page
    browser.run("document.querySelector('svg').scrollIntoView()")
    browser.ask("Input.dispatchMouseEvent", **at, **wheel, modifiers=2)
    left, _, width, _ = browser.run(box)
    assert width < 400
    browser.ask("Input.dispatchMouseEvent", **at, type="mousePressed")
    browser.ask("Input.dispatchMouseEvent", **at | {"x": 560}, type="mouseMoved")
    browser.ask("Input.dispatchMouseEvent", **at | {"x": 560}, type="mouseReleased")
    assert browser.run(box)[0] > left


def test_on_a_phone_the_page_does_not_scroll_sideways_and_is_large_enough(browser, page):
    browser.open(page, width=360)
    browser.run(UNFOLD)
    assert browser.run("document.scrollingElement.scrollWidth") <= 360
    sizes = browser.run("[...document.querySelectorAll('body *:not(svg, svg *, script)')]"
                        ".map(e => parseFloat(getComputedStyle(e).fontSize))")  # fmt: skip
    assert min(sizes) >= 14
    assert browser.run("document.querySelectorAll('.wide')[3].scrollWidth") > 360


@pytest.mark.parametrize("width", [360, 400, 800, 1400])
def test_a_figure_is_whole_at_any_width_and_uses_what_there_is(browser, page, width):
    browser.open(page, width=width)
    boxes = "[...document.querySelectorAll('.drawing')]"
    sizes = browser.run(f"{boxes}.map(e => [e.scrollWidth, e.clientWidth, e.scrollHeight, "
                        "e.clientHeight, getComputedStyle(e).overflowX])")  # fmt: skip
    assert len(sizes) == 4
    assert all((across, down) == (wide, high) for across, wide, down, high, _ in sizes)
    assert {overflow for *_, overflow in sizes} == {"visible"}  # no box that scrolls
    taken = browser.run(f"{boxes}[0].closest('figure').getBoundingClientRect().width")
    whole = browser.run("document.querySelector('main').getBoundingClientRect().width")
    assert taken == whole
    if width >= 1400:  # the caption uses what the drawing leaves
        caption = browser.run("document.querySelector('.drawn figcaption').offsetLeft")
        assert caption > browser.run(f"{boxes}[0].getBoundingClientRect().right")


def test_only_a_figure_with_fine_details_can_be_zoomed(browser, page):
    browser.open(page)
    bars = browser.run(
        "[...document.querySelectorAll('.drawn')].map(f => !!f.querySelector('.zoom'))"
    )
    assert bars == [True, False, True, False]


def test_details_are_folded_and_printing_unfolds_them(browser, page):
    browser.open(page)
    count = "document.querySelectorAll('details[open]').length"
    assert browser.run(count) == 0
    browser.run("window.seen = 0;"
                f"addEventListener('beforeprint', () => {{ window.seen = {count}; }})")  # fmt: skip
    browser.ask("Page.printToPDF")
    assert browser.run("window.seen") == 2
    assert browser.run(count) == 0  # as they were


def test_a_link_to_something_folded_unfolds_it(browser, page):
    browser.open(page)
    browser.run("location.hash = '#table-2'")
    browser.run("new Promise(done => setTimeout(done, 50))")
    assert browser.run("document.querySelector('details').open")


WHERE = ["20", "5 (emulated)", "4", *["16.67 ms (8.3 %)"] * 6, "13.3 %", "100.0 %"]
BYTES = ["20", "5", "4", *["640.2 MiB"] * 11]
PARTS = ("parameters", "gradients", "optimizer", "activations", "temporaries", "cuBLAS")
TOTALS = ("predicted", "allocated", "difference", "reserved", "driver")
BYTES_HEADS = ["depth", "GPUs", "GPU", *PARTS, *TOTALS]
SPEED_HEADS = ["GPUs", "schedule", "micro-batches", "step time (95 % CI)"]
SPEED_HEADS += ["speed over 1 GPU (95 % CI)", "speed over naive (95 % CI)", "bubble", "formula"]
SPEED_HEADS += ["notes"]
SPEEDS = ["2", "interleaved 1F1B", "20", "76.46 ms (76.39 ms – 76.72 ms)"]
SPEEDS += ["1.25 (1.23 – 1.27)", "1.17 (1.16 – 1.17)", "9.1 % (7.4 – 10.8 %)", "2.4 %"]
SPEEDS += ["not within ±0.5 %: stopped by time limit; outliers: 1 of 50 steps; throttled"]
STEPS = ["20", "8", "181.2 ms (178.9 ms – 183.4 ms)", "41", *["400 MiB / 800 MiB"] * 8]


@pytest.mark.parametrize(
    ("heads", "cells"),
    [
        ([f"transfer {i}" for i in range(len(WHERE))], WHERE),
        (BYTES_HEADS, BYTES),
        (["depth", "GPUs", "step time (95 % CI)", "steps", *["memory of GPU 7"] * 8], STEPS),
        (SPEED_HEADS, SPEEDS),
    ],
)
def test_the_widest_tables_of_a_report_fit_on_a_laptop(browser, tmp_path, heads, cells):
    path = tmp_path / "wide.html"
    wide = section(table=Table(heads, [cells] * 3), details=Details(), figures=[], listings=[])
    path.write_text(render_html(document(wide)), encoding="utf-8")
    browser.open(path, width=1200)
    box = "document.querySelector('.wide')"
    assert browser.run(f"{box}.scrollWidth") <= browser.run(f"{box}.clientWidth")
