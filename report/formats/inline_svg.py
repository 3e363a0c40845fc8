"""Drawings as part of an HTML page: only what draws, with ids that are unique in the page."""

import re
from xml.etree import ElementTree

from report.document import Figure
from study.text import printable

NOT_DRAWN = ("script", "style", "metadata", "foreignObject")
DECLARATIONS = re.compile(r"[\w\s:;#.,%()'+-]*")  # nothing that could end a rule of CSS

Classes = dict[str, str]  # the class that stands for a style attribute


def inline_svg(prefix: str, figure: Figure, classes: Classes) -> str:
    """Return the svg element without prolog, doctype, namespaces and anything that could run.

    Args:
        prefix: For its ids.
        figure: The drawing.
        classes: The class of each style attribute on the page; new ones are added.
    """
    svg = ElementTree.fromstring(printable(figure.svg, keep="\n\t"))
    for parent in list(svg.iter()):
        for child in [child for child in parent if _local(child.tag) in NOT_DRAWN]:
            parent.remove(child)
    for element in svg.iter():
        element.tag = _local(element.tag)
        given = {_local(name): value for name, value in element.attrib.items()}
        element.attrib = _attributes(prefix, given, classes)
    for name in ("width", "height"):
        svg.attrib.pop(name, None)  # the page decides; the view box keeps the shape
    svg.attrib |= {"role": "img", "aria-label": printable(figure.alt)}
    return ElementTree.tostring(svg, encoding="unicode").strip()


def _attributes(prefix: str, given: dict[str, str], classes: Classes) -> dict[str, str]:
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
            continue  # leads outside, or is no plain style
        elif name != "class" and not name.startswith("on"):
            kept[name] = value
    return kept


def _local(name: str) -> str:
    return name.rpartition("}")[2]
