"""The words of a program's command, with the values of its case in place of `{name}`."""

import re
import shlex
from collections.abc import Mapping

from study.case import Argument, Case, given
from study.errors import ConfigError
from study.quoting import quoted

GPUS = "gpus"  # in a command, the number of GPUs; so no argument has this name
_BRACES = re.compile(r"\{\{|\}\}|\{([A-Za-z_][A-Za-z0-9_]*)\}|[{}]")
_OF_A_SHELL = {"&&", "||", "|", ";", "&", ">", ">>", "<", "2>", "2>&1", "&>"}


def command_words(case: Case, source: object) -> list[str]:
    """Return the words of the case's command: split as a shell would, then filled in.

    A value is put inside of a word, so it never becomes another word, or a command of a shell.

    Args:
        case: of a program.
        source: the file or option that an error names.

    Raises:
        ConfigError: a quote is not closed, a name in braces is no argument, or it needs a shell.
    """
    command, arguments = given(case.command), case.arguments
    if GPUS in arguments:
        raise ConfigError(source, f"args.{GPUS}: is the number of GPUs; use another name")
    try:
        words = shlex.split(command)
    except ValueError as error:
        problem = str(error).lower()
        raise ConfigError(source, f"command: {quoted(command)} has {problem}") from None
    _check_no_shell(words, source)
    values = {GPUS: case.gpus, **arguments}
    filled = [_fill_in(word, values, source) for word in words]
    if not filled or not filled[0]:
        raise ConfigError(source, f"command: {quoted(command)} begins with no program; name one")
    return filled


def as_text(value: Argument) -> str:
    """Return a value as a command line has it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _fill_in(word: str, values: Mapping[str, Argument], source: object) -> str:
    def replace(found: re.Match[str]) -> str:
        if found[0] in ("{{", "}}"):
            return found[0][0]
        if found[1] is None:
            raise ConfigError(
                source, f"command: {quoted(word)} has a single {found[0]}; write {found[0] * 2}"
            )
        if found[1] not in values:
            raise ConfigError(
                source,
                f"command: {found[0]} is no argument; there are {', '.join(values)}; "
                "add it under axes or args, or write it in double braces",
            )
        return as_text(values[found[1]])

    return _BRACES.sub(replace, word)


def _check_no_shell(words: list[str], source: object) -> None:
    for word in words:
        if word in _OF_A_SHELL:
            raise ConfigError(
                source, f"command: {quoted(word)} is for a shell, and none runs it; write a script"
            )
    if words and re.match(r"[A-Za-z_]\w*=", words[0]):
        raise ConfigError(
            source, f"command: {quoted(words[0])} is for a shell; write env {words[0]} ..."
        )
