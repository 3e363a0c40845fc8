"""PDF, set by Typst.

The template report.typ gets the document as JSON and evaluates no string of it, so data cannot
become markup. The same document gives the same bytes: no date and no path is written, and only
Typst's own fonts are used.
"""

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import typst

from report.document import Answer, Document, labelled
from study.errors import ConfigError
from study.text import one_line, printable

TEMPLATE = Path(__file__).with_name("report.typ")


def render_pdf(document: Document) -> bytes:
    """Return the PDF.

    Raises:
        ConfigError: Typst failed; the message names the section if one alone is the cause.
    """
    try:
        return _compile(document)
    except typst.TypstError as error:
        where = _culprit(document)
        raise ConfigError("--report", f"{where}: {error.message}; use .html instead") from error


def _compile(document: Document) -> bytes:
    inputs = template_inputs(document)
    return typst.compile(TEMPLATE, format="pdf", sys_inputs=inputs, ignore_system_fonts=True)


def template_inputs(document: Document) -> dict[str, str]:
    """Return what the template gets of a document."""
    return {"document": json.dumps(_printable(_labelled(asdict(document))))}


def _labelled(data: dict[str, Any]) -> dict[str, Any]:
    """Give every section its number, and every answer its label."""
    for number, section in enumerate(data["sections"], 1):
        section["number"] = number
        answers = [Answer(**answer) for answer in section["answers"]]
        section["answers"] = [{"label": label, **asdict(a)} for label, a in labelled(answers)]
    return data


def _culprit(document: Document) -> str:
    """Return the first section that fails alone."""
    for section in document.sections:
        try:
            _compile(replace(document, sections=[section]))
        except typst.TypstError:
            return f"section {section.title!r}"
    return f"document {document.title!r}"


def _printable(value: object, key: str = "") -> object:
    """Put every text on one line, except for code and drawings."""
    if isinstance(value, dict):
        return {key: _printable(part, key) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_printable(part) for part in value]
    if key == "code":
        return "\n".join(printable(line.expandtabs()) for line in str(value).splitlines())
    if value is None or isinstance(value, int):
        return value
    return printable(str(value), keep="\n\t") if key == "svg" else one_line(str(value))
