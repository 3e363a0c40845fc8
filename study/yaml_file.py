"""Reading a YAML file that a person wrote: plain data only, no key twice, no number to base 60."""

from pathlib import Path
from typing import Any

import yaml

from study.errors import ConfigError


class _Loader(yaml.SafeLoader):
    """A SafeLoader that refuses duplicate keys, which YAML itself would silently drop.

    Numbers to base 60 are text, as the person wrote them: YAML 1.1 makes 3600 of `1:00:00`.
    """


def _mapping_without_duplicates(loader: _Loader, node: yaml.MappingNode) -> dict[Any, Any]:
    keys = [key.value for key, _ in node.value]
    for key in keys:
        if keys.count(key) > 1:
            problem = f"key {key!r} stands twice"
            raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark)
    return loader.construct_mapping(node, deep=True)


def _whole_number(loader: _Loader, node: yaml.ScalarNode) -> int | str:
    return node.value if ":" in node.value else loader.construct_yaml_int(node)


def _number(loader: _Loader, node: yaml.ScalarNode) -> float | str:
    return node.value if ":" in node.value else loader.construct_yaml_float(node)


_Loader.add_constructor("tag:yaml.org,2002:int", _whole_number)
_Loader.add_constructor("tag:yaml.org,2002:float", _number)
_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping_without_duplicates)


def read_mapping(path: Path) -> dict[str, Any]:
    """The file's top-level mapping; ConfigError for anything that is not one."""
    try:
        data = yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(path, f"cannot be read: {error}; check the path") from None
    except Exception as error:  # PyYAML's constructors let all kinds through
        raise ConfigError(path, f"is not plain YAML: {_first_words(error)}") from None
    if not isinstance(data, dict):
        raise ConfigError(path, "is empty or not a mapping; write `key: value` lines")
    return data


def _first_words(error: Exception) -> str:
    mark = getattr(error, "problem_mark", None)
    place = f"line {mark.line + 1}: " if mark else ""
    return f"{place}{getattr(error, 'problem', None) or error}"


def check_keys(mapping: Any, known: tuple[str, ...], source: object, where: str) -> dict[str, Any]:
    """The mapping itself, if it is one and holds only known keys."""
    if not isinstance(mapping, dict):
        raise ConfigError(
            source, f"{where}: {mapping!r} is not a mapping; write `key: value` lines"
        )
    for key in mapping:
        if key not in known:
            raise ConfigError(
                source, f"{where}: unknown key {key!r}; known keys: {', '.join(known)}"
            )
    return mapping
