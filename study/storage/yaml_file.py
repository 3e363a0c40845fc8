"""Read a person's YAML file: plain data only, no key twice, no number to base 60.

The person may be somebody else, so no file may take long or much memory: it is small, its values
are few and not deeply nested, and none is written once and used many times.
"""

import errno
import re
from pathlib import Path
from typing import Any

import yaml

from study.errors import ConfigError
from study.quoting import quoted
from study.storage.files import is_utf8, read_file

# What is at a limit still takes less than a second to read. Grids of ours have a hundred values.
MOST_BYTES = 100_000
MOST_VALUES = 10_000
MOST_LEVELS = 20
LONGEST_NUMBER = 100  # digits
_MERGE = "tag:yaml.org,2002:merge"


class _Loader(yaml.SafeLoader):
    """A SafeLoader of bounded work that refuses duplicate keys, which YAML itself would drop.

    Numbers to base 60 are text, as the person wrote them: YAML 1.1 makes 3600 of `1:00:00`.
    """

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.values = 0
        self.level = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        self.values += 1
        self.level += 1
        if problem := self._problem_of(event):
            raise yaml.composer.ComposerError(None, None, problem, event.start_mark)
        node = super().compose_node(parent, index)
        self.level -= 1
        return node

    def _problem_of(self, event: Any) -> str | None:
        # Nine lines of aliases, each of the line before, are a thousand million values.
        if event.anchor is not None:
            mark = "*" if isinstance(event, yaml.AliasEvent) else "&"
            return f"{quoted(mark + event.anchor)} is an anchor or alias; write the value itself"
        if self.level > MOST_LEVELS:
            return f"nested more than {MOST_LEVELS} levels deep; write plain lists and mappings"
        if self.values > MOST_VALUES:
            return f"more than {MOST_VALUES} values; use several files"
        if isinstance(event, yaml.ScalarEvent) and not is_utf8(event.value):
            return f"{quoted(event.value)} has half a character; write the whole one"
        return None


def _mapping_without_duplicates(loader: _Loader, node: yaml.MappingNode) -> dict[Any, Any]:
    seen: set[str] = set()
    for key, _ in node.value:
        if key.tag == _MERGE:  # it would copy a mapping's keys for every level
            raise _error("`<<` merges mappings; write the keys themselves", key)
        if not isinstance(key, yaml.ScalarNode):
            continue  # construct_mapping refuses it
        if key.value in seen:
            raise _error(f"key {quoted(key.value)} is there twice; keep one", node)
        seen.add(key.value)
    return loader.construct_mapping(node, deep=True)


def _error(problem: str, node: yaml.Node) -> yaml.YAMLError:
    return yaml.constructor.ConstructorError(None, None, problem, node.start_mark)


def _whole_number(loader: _Loader, node: yaml.ScalarNode) -> int | str:
    _check_length(node)
    return node.value if ":" in node.value else loader.construct_yaml_int(node)


def _number(loader: _Loader, node: yaml.ScalarNode) -> float | str:
    _check_length(node)
    return node.value if ":" in node.value else loader.construct_yaml_float(node)


def _check_length(node: yaml.ScalarNode) -> None:
    if len(node.value) > LONGEST_NUMBER:
        problem = f"{quoted(node.value)} is a number of more than {LONGEST_NUMBER} digits"
        raise _error(f"{problem}; write a smaller one", node)


_Loader.add_constructor("tag:yaml.org,2002:int", _whole_number)
_Loader.add_constructor("tag:yaml.org,2002:float", _number)
_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping_without_duplicates)
# To YAML 1.1, 1e-3 and 1.5e3 are texts, as one has no point and the other no sign.
_EXPONENT = re.compile(r"[-+]?([0-9][0-9_]*\.?[0-9_]*|\.[0-9][0-9_]*)[eE][-+]?[0-9]+\Z")
_Loader.add_implicit_resolver("tag:yaml.org,2002:float", _EXPONENT, list("-+.0123456789"))


def plain_value(text: str) -> Any:
    """Return the text as what it would be in a file without quotes: a number, true, or itself."""
    if not text or len(text) > LONGEST_NUMBER or not is_utf8(text):
        return text
    loader = _Loader("")
    tag = loader.resolve(yaml.ScalarNode, text, (True, False))  # type: ignore[no-untyped-call]
    if tag.rpartition(":")[2] not in ("bool", "int", "float"):
        return text
    try:
        return loader.construct_object(yaml.ScalarNode(tag, text), deep=True)
    except (ValueError, OverflowError):  # such as 0b2
        return text


def read_mapping(path: Path) -> dict[str, Any]:
    """Return the file's top-level mapping.

    Raises:
        ConfigError: the file cannot be read, is too long, or holds anything but such a mapping.
    """
    try:
        data = yaml.load(_text_of(path), Loader=_Loader)
    except ConfigError:
        raise
    except Exception as error:  # PyYAML's constructors let all kinds through
        raise ConfigError(path, f"is not plain YAML: {_first_words(error)}") from None
    if not isinstance(data, dict):
        raise ConfigError(path, "is empty or not a mapping; write `key: value` lines")
    return data


def _text_of(path: Path) -> str:
    try:
        return read_file(path, most=MOST_BYTES, follow=True).decode("utf-8")
    except OSError as error:
        if error.errno == errno.EFBIG:
            problem = f"has more than {MOST_BYTES // 1000} kB; write a shorter file, or several"
            raise ConfigError(path, problem) from None
        raise ConfigError(path, f"cannot be read: {error.strerror}; check the path") from None
    except UnicodeDecodeError as error:
        raise ConfigError(path, f"cannot be read: {error}; save it as UTF-8") from None


def _first_words(error: Exception) -> str:
    mark = getattr(error, "problem_mark", None)
    place = f"line {mark.line + 1}: " if mark else ""
    return f"{place}{getattr(error, 'problem', None) or error}"


def check_keys(mapping: Any, known: tuple[str, ...], source: object, where: str) -> dict[str, Any]:
    """Return the mapping itself, once it is known to be one and to hold known keys alone.

    Args:
        mapping: what a YAML file or a part of it holds.
        known: the keys that it may have.
        source: the file that an error names.
        where: the place in the file that an error names.

    Raises:
        ConfigError: it is no mapping, or has another key.
    """
    if not isinstance(mapping, dict):
        raise ConfigError(
            source, f"{where}: {quoted(mapping)} is not a mapping; write `key: value` lines"
        )
    for key in mapping:
        if key not in known:
            raise ConfigError(
                source, f"{where}: unknown key {quoted(key)}; known keys: {', '.join(known)}"
            )
    return mapping
