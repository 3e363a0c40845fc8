"""Docstrings say what a function does, and of one with many parameters what each of them is."""

import ast
import re

import pytest

from study.paths import ROOT
from tests.test_imports import SOURCES

MANY = 3  # parameters from which on each of them is described
QUESTIONS = {"What", "Why", "Whether", "How", "Where", "Who", "Whose", "Which", "When"}
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
# The report prints functions of these two, for a homework, so they stay as they are.
HANDED_IN = {ROOT / "mp/model.py", ROOT / "mp/placement.py"}
CHECKED = [*SOURCES, *sorted((ROOT / "benchmarks").glob("*.py"))]

# Methods that several classes have are described where they are declared.
DESCRIBED = {"cancel", "recover", "begin", "on_send", "on_collective", "count_of"}

sources = pytest.mark.parametrize(
    "path",
    [path for path in CHECKED if path not in HANDED_IN],
    ids=lambda path: str(path.relative_to(ROOT)),
)


def documented(path):
    """Every module, class and function of the file that has a docstring, and its docstring."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, *FUNCTIONS)):
            text = ast.get_docstring(node)
            if text:
                yield node, text


def public_functions(path):
    """Every function and method for others, with the docstring that describes its parameters."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for parent in ast.walk(tree):
        if not isinstance(parent, ast.Module | ast.ClassDef) or is_private(parent):
            continue
        for node in parent.body:
            if not isinstance(node, FUNCTIONS) or is_override(node):
                continue
            if not node.name.startswith("_"):
                yield node, ast.get_docstring(node) or ""
            elif node.name == "__init__":
                yield node, ast.get_docstring(parent) or ""


def is_private(parent):
    """True for a class that only its own module knows."""
    return isinstance(parent, ast.ClassDef) and parent.name.startswith("_")


def is_override(node):
    """True if the method says that it is another's, which describes it."""
    return any(isinstance(d, ast.Name) and d.id == "override" for d in node.decorator_list)


def parameters_of(node):
    """The names of the parameters but self and cls."""
    given = node.args
    names = [one.arg for one in (*given.posonlyargs, *given.args, *given.kwonlyargs)]
    return [name for name in names if name not in ("self", "cls")]


def raises_of(node):
    """The names of the errors that a function's own lines raise, and not within a `try`."""
    tried = [part for n in ast.walk(node) if isinstance(n, ast.Try) for part in n.body]
    caught = {id(n) for part in tried for n in ast.walk(part)}
    lines = [n for n in ast.walk(node) if isinstance(n, ast.Raise) and id(n) not in caught]
    own = [raised for raised in lines if raised.exc is not None]
    called = (raised.exc.func if isinstance(raised.exc, ast.Call) else raised.exc for raised in own)
    names = {one.id for one in called if isinstance(one, ast.Name) and one.id[0].isupper()}
    return names - {"AssertionError", "NotImplementedError", "SystemExit"}


@sources
def test_no_docstring_begins_with_a_question(path):
    begun = [(node.lineno if hasattr(node, "lineno") else 1, text.split(maxsplit=1)[0])
             for node, text in documented(path)]  # fmt: skip
    assert [one for one in begun if one[1] in QUESTIONS] == []


@sources
def test_a_function_of_many_parameters_describes_each_of_them(path):
    missing = []
    for node, text in public_functions(path):
        names = parameters_of(node)
        if len(names) >= MANY and node.name not in DESCRIBED:
            missing += [(node.name, name) for name in names if f" {name}: " not in text]
    assert missing == []


@sources
def test_a_function_of_many_parameters_says_what_it_returns_and_raises(path):
    missing = []
    for node, text in public_functions(path):
        if len(parameters_of(node)) < MANY or node.name in {"__init__", *DESCRIBED}:
            continue
        returns = node.returns is not None and ast.unparse(node.returns) not in ("None", "NoReturn")
        if returns and not ("Returns:" in text or says_so(text)):
            missing.append((node.name, "Returns"))
        missing += [(node.name, error) for error in raises_of(node) if f"{error}:" not in text]
    assert missing == []


def says_so(text):
    """True if the first paragraph itself says what is returned."""
    return re.search(r"\b(return|yield)\b", text.partition("\n\n")[0], re.IGNORECASE)
