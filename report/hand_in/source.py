"""The benchmark's sources of the model, its placement and a timing loop as one runnable file."""

import ast
import re

from study.paths import ROOT

SCRIPT = "mp.homework"
Definition = ast.FunctionDef | ast.ClassDef


def make_homework(constants: dict[str, int]) -> str:
    """Return `mp/homework.py` with all that it imports from `mp` inserted, word for word.

    Args:
        constants: Values that replace those of the script's constants, by their names.
    """
    script = _Module(SCRIPT)
    wanted: dict[str, set[str]] = {}
    for module, name in script.imported.values():
        _need(module, name, wanted)
    modules = {name: _Module(name) for name in wanted}
    body = "\n\n\n".join(
        [script.constants(constants)]
        + [modules[name].definitions(names) for name, names in wanted.items()]
        + [script.definitions(set(script.defined))]
    )
    libraries = [script.libraries, *(module.libraries for module in modules.values())]
    lines = sorted(set().union(*libraries), key=_place)
    groups = [
        "\n".join(line for line in lines if _is_of_torch(line) == third_party)
        for third_party in (False, True)
    ]
    end = script.source_of(script.tree.body[-1])
    return "\n\n".join([script.docstring, *filter(None, groups), body]) + f"\n\n\n{end}\n"


def _need(module: str, name: str, wanted: dict[str, set[str]]) -> None:
    """Add a definition and all that it uses; a module comes after those it imports."""
    if name in wanted.get(module, ()):
        return
    found = _Module(module)
    used = {node.id for node in ast.walk(found.defined[name]) if isinstance(node, ast.Name)}
    for other in sorted(used & found.imported.keys()):
        _need(*found.imported[other], wanted)
    wanted.setdefault(module, set()).add(name)
    for other in sorted(used & found.defined.keys()):
        _need(module, other, wanted)


class _Module:
    """The source of a module of `mp`, in parts."""

    def __init__(self, name: str) -> None:
        self.path = f"{name.replace('.', '/')}.py"
        self.source = (ROOT / self.path).read_text(encoding="utf-8")
        self.tree = ast.parse(self.source)
        self.defined = {n.name: n for n in self.tree.body if isinstance(n, Definition)}
        self.imported: dict[str, tuple[str, str]] = {}  # (module, name) by the name used here
        self.libraries: set[str] = set()  # import lines of other packages
        for node in self.tree.body:
            if isinstance(node, ast.ImportFrom) and str(node.module).startswith("mp."):
                its = {alias.name: (str(node.module), alias.name) for alias in node.names}
                self.imported |= its
            elif isinstance(node, ast.Import | ast.ImportFrom):
                self.libraries.add(self.source_of(node))

    @property
    def docstring(self) -> str:
        """The module's docstring, with its quotes."""
        return self.source_of(self.tree.body[0])

    def source_of(self, node: ast.stmt) -> str:
        """Return the lines of a statement, with its decorators and the comment behind it."""
        decorators = getattr(node, "decorator_list", [])
        first = min([node.lineno, *(decorator.lineno for decorator in decorators)])
        return "\n".join(self.source.splitlines()[first - 1 : node.end_lineno])

    def definitions(self, names: set[str]) -> str:
        """Return functions and classes of these names, in the file's order."""
        return "\n\n\n".join(self.source_of(n) for name, n in self.defined.items() if name in names)

    def constants(self, values: dict[str, int]) -> str:
        """Return the assignments of the module, some with other values."""
        lines = [self.source_of(node) for node in self.tree.body if isinstance(node, ast.Assign)]
        text = "\n".join(lines)
        for name, value in values.items():
            text, count = re.subn(rf"(?m)^{name} = \d+", f"{name} = {value}", text)
            assert count == 1, f"{self.path} has no constant {name}"
        return text


def _is_of_torch(line: str) -> bool:
    return line.split()[1].partition(".")[0] == "torch"


def _place(line: str) -> tuple[bool, str]:
    """Sort as ruff does: `import x` before `from x import y`."""
    return line.startswith("from"), line
