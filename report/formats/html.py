"""One self-contained HTML page: no network, no other file.

Text of the document stays text. The page's security policy allows page.js and page.css alone, by
their hashes; so style attributes of figures, which such a policy forbids, become classes.
"""

import re
from base64 import b64encode
from collections import Counter
from hashlib import sha256
from html import escape
from pathlib import Path
from xml.etree import ElementTree

from report.document import (
    Answer,
    Details,
    Document,
    Figure,
    Listing,
    Section,
    Table,
    labelled,
)
from study.text import printable

STYLE = Path(__file__).parent / "page.css"
SCRIPT = Path(__file__).parent / "page.js"

LONG_CELL = 36  # characters; longer text may wrap
MANY_COLUMNS = 9  # more are set in smaller type
# Where a short cell may wrap if its table does not fit.
PARTS = re.compile(r"(?<= )(?=\()|(?<= / )")
# What no line of a paragraph ends within: a number and its unit, a range, a GPU's number.
TOGETHER = re.compile(
    r"[+−±]?[\d.]+ (?:%|(?:[mµn]?s|[KMGT]?i?B|GPU-[mµ]?s|GPUs?|layers?|steps?)\b)|\d+–\d+|\bGPU \d+"
)
CODE = re.compile(r"(<code>[^<]*</code>)")
NOT_DRAWN = ("script", "style", "metadata", "foreignObject")
DECLARATIONS = re.compile(r"[\w\s:;#.,%()'+-]*")  # nothing that could end a rule of CSS


class Page:
    """State that all parts of a page share: classes of styles, and the count of captions."""

    def __init__(self) -> None:
        self.classes: dict[str, str] = {}  # the class of each style attribute
        self.counted: Counter[str] = Counter()

    def caption(self, kind: str, text: str) -> str:
        """Return a caption with the next number of this kind."""
        self.counted[kind] += 1
        number = f"<b>{kind} {self.counted[kind]}.</b>"
        return f"<figcaption>{number} {_text(text)}</figcaption>\n"

    def name(self, kind: str) -> str:
        """Return the id of the newest caption of this kind, for links to it."""
        return f"{kind.lower()}-{self.counted[kind]}"

    def names(self, kind: str, count: int) -> list[str]:
        """Return links to the next captions of this kind: `Figure 4`, or `Figures 4 to 6`."""
        first, last = self.counted[kind] + 1, self.counted[kind] + count
        if count < 2:
            return [self._link(kind, first, f"{kind} {first}")][:count]
        between = " and " if count == 2 else " to "
        ends = [self._link(kind, number, str(number)) for number in (first, last)]
        return [f"{kind}s {between.join(ends)}"]

    def _link(self, kind: str, number: int, text: str) -> str:
        return f'<a href="#{kind.lower()}-{number}">{text}</a>'


def render_html(document: Document) -> str:
    """Return the page; the same document gives the same text."""
    page = Page()
    glance = _glance(document, page)
    sections = [_section(i, s, page) for i, s in enumerate(document.sections, 1)]
    rules = "".join(f".{name} {{ {style} }}\n" for style, name in page.classes.items())
    style = f"\n{STYLE.read_text(encoding='utf-8')}{rules}"
    script = f"\n{SCRIPT.read_text(encoding='utf-8')}"
    policy = (
        f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)}; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )
    about = "".join(f"<dt>{_plain(k)}</dt><dd>{_plain(v)}</dd>\n" for k, v in document.about)
    links = "".join(
        f'<li><a href="#section-{i}">{_text(section.title)}</a></li>\n'
        for i, section in enumerate(document.sections, 1)
    )
    author = f'<meta name="author" content="{_plain(document.author)}"/>\n' * bool(document.author)
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8"/>
<meta http-equiv="Content-Security-Policy" content="{policy}"/>
<meta name="viewport" content="width=device-width, initial-scale=1"/>
<meta name="color-scheme" content="light dark"/>
{author}<title>{_plain(document.title)}</title>
<style>{style}</style>
</head>
<body>
<header>
<h1>{_plain(document.title)}</h1>
{_around("dl", about)}
</header>
{_around("nav", _around("ol", links), 'aria-label="Contents"')}
<main>
{glance}{"".join(sections)}{_method(document)}</main>
<script>{script}</script>
</body>
</html>
"""


def _glance(document: Document, page: Page) -> str:
    """Return the sentences of the whole document, and a figure."""
    figure = document.glance_figure
    sentences = _around("ul", "".join(f"<li>{_prose(text)}</li>\n" for text in document.glance))
    content = sentences + "".join(map(_warning, document.warnings))
    content += "" if figure is None else _figure(figure, page)
    heading = f"<h2>{_text(document.glance_title)}</h2>\n" if content else ""
    return _around("section", heading + content, 'id="glance"')


def _warning(text: str) -> str:
    return f'<p class="emulated">{_text(text)}</p>\n'


def _method(document: Document) -> str:
    sentences = "".join(map(_paragraph, document.method))
    title = "<h2>How it was measured</h2>\n"
    return _around("section", title + sentences, 'id="method"') if sentences else ""


def _section(number: int, section: Section, page: Page) -> str:
    evidence = _evidence(section, page)
    parts = [
        f"<h2>{_text(section.title)}</h2>\n",
        _around("div", "".join(map(_fact, section.facts)), 'class="facts"'),
        *(_answer(label, answer) for label, answer in labelled(section.answers)),
        evidence,
        _table(section.table, section.title, page),
        *(_figure(figure, page) for figure in section.figures),
        *(_listing(listing, page) for listing in section.listings),
        _details(number, section.details, page),
    ]
    return f'<section id="section-{number}">\n{"".join(parts)}</section>\n'


def _evidence(section: Section, page: Page) -> str:
    """Return a line that says what shows the answers, if that is more than one thing."""
    found = [
        *page.names("Table", bool(section.table.columns)),
        *page.names("Figure", len(section.figures)),
        *page.names("Listing", len(section.listings)),
    ]
    if len(section.figures) + len(section.listings) == 0 or not found:
        return ""
    listed = " and ".join(filter(None, [", ".join(found[:-1]), found[-1]]))
    return f'<p class="evidence">Shown by {listed}.</p>\n'


def _details(number: int, details: Details, page: Page) -> str:
    """Return what few readers need, folded; printing opens it."""
    parts = [
        *map(_fact, details.facts),
        *(_figure(figure, page) for figure in details.figures),
        *(_table(table, table.caption, page) for table in details.tables),
        *(_listing(listing, page) for listing in details.listings),
    ]
    shown = "<summary>Details</summary>\n" + "".join(parts) if parts else ""
    return _around("details", shown, f'id="details-{number}"')


def _fact(fact: str) -> str:
    return _warning(fact) if fact.startswith("EMULATED") else f"<p>{_text(fact)}</p>\n"


def _answer(label: str, answer: Answer) -> str:
    question = f"<h3><b>{label}</b> {_text(answer.question)}</h3>\n" if label else ""
    sentences = "".join(map(_paragraph, answer.sentences))
    return question + _around("div", sentences, 'class="answers"')


def _paragraph(text: str) -> str:
    return f"<p>{_prose(text)}</p>\n"


def _prose(text: str) -> str:
    """Return the markup of running text, whose numbers stay beside their units."""
    parts = CODE.split(_text(text))
    return "".join(
        part if at % 2 else TOGETHER.sub(r'<span class="together">\g<0></span>', part)
        for at, part in enumerate(parts)
    )


def _table(table: Table, caption: str, page: Page) -> str:
    if not table.columns:
        return ""
    heads = "".join(f'<th scope="col">{_text(column)}</th>' for column in table.columns)
    rows = "".join(f"<tr>{''.join(map(_cell, row))}</tr>\n" for row in table.rows)
    kind = ' class="many"' if len(table.columns) > MANY_COLUMNS else ""
    content = f"<thead><tr>{heads}</tr></thead>\n<tbody>\n{rows}</tbody>\n"
    # A scrolling region needs a name to be reached by the keyboard.
    label = f'class="wide" role="region" tabindex="0" aria-label="{_plain(caption)}"'
    shown = _around("div", f"<table{kind}>\n{content}</table>\n", label)
    content = page.caption("Table", caption) + shown + _notes(table)
    return _around("figure", content, f'id="{page.name("Table")}"')


def _notes(table: Table) -> str:
    return _around("div", "".join(map(_paragraph, table.notes)), 'class="notes"')


def _cell(text: str) -> str:
    if len(text) > LONG_CELL:
        return f'<td class="long">{_text(text)}</td>'
    return f"<td>{PARTS.sub('<wbr/>', _text(text))}</td>"


def _listing(listing: Listing, page: Page) -> str:
    code = escape(printable(listing.code, keep="\n\t"))
    caption = page.caption("Listing", listing.caption)
    content = f'{caption}<pre tabindex="0"><code>{code}</code></pre>\n'
    return _around("figure", content, f'id="{page.name("Listing")}"')


def _figure(figure: Figure, page: Page) -> str:
    caption = page.caption("Figure", figure.caption)
    drawing = _inline_svg(f"figure-{page.counted['Figure']}-", figure, page.classes)
    content = f'<div class="drawing">{drawing}</div>\n{caption}'
    return _around("figure", content, f'class="drawn" id="{page.name("Figure")}"')


def _inline_svg(prefix: str, figure: Figure, classes: dict[str, str]) -> str:
    """Return the svg element alone, without namespaces and anything that could run."""
    svg = ElementTree.fromstring(printable(figure.svg, keep="\n\t"))
    for parent in list(svg.iter()):
        for child in [child for child in parent if _local(child.tag) in NOT_DRAWN]:
            parent.remove(child)
    for element in svg.iter():
        element.tag = _local(element.tag)
        given = {_local(name): value for name, value in element.attrib.items()}
        element.attrib = _attributes(prefix, given, classes)
    for name in ("width", "height"):
        svg.attrib.pop(name, None)  # the page sets the size; the view box keeps the shape
    svg.attrib |= {"role": "img", "aria-label": printable(figure.alt)}
    if figure.zooms:
        svg.attrib["class"] = "zooms"
    return ElementTree.tostring(svg, encoding="unicode").strip()


def _attributes(prefix: str, given: dict[str, str], classes: dict[str, str]) -> dict[str, str]:
    """Return the attributes that an element may keep; ids and references get the prefix."""
    kept = {}
    for name, value in given.items():
        value = value.replace("url(#", f"url(#{prefix}")
        if name == "id":
            kept["id"] = prefix + value
        elif name == "href" and value.startswith("#"):
            kept["href"] = f"#{prefix}{value[1:]}"
        elif name == "style" and DECLARATIONS.fullmatch(value):
            kept["class"] = classes.setdefault(value, f"s{len(classes)}")
        elif name in ("href", "style") and not value.startswith("data:image/png;"):
            continue  # leads outside, or may end the rule
        elif name != "class" and not name.startswith("on"):
            kept[name] = value
    return kept


def _local(name: str) -> str:
    return name.rpartition("}")[2]


def _around(tag: str, content: str, attributes: str = "") -> str:
    """Return an element, or nothing if it would be empty."""
    return f"<{tag} {attributes}".rstrip() + f">\n{content}</{tag}>\n" if content else ""


def _text(text: str) -> str:
    """Return the markup of one line of text, in which backticks mean code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", _plain(text))


def _plain(text: str) -> str:
    return escape(printable(text))


def _hash(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"
