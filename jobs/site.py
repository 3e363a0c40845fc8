"""What a site sets for its jobs in a profile: the Python that runs them, and where ranks meet."""

import re
import shlex
import sys
from typing import TYPE_CHECKING, Any

from jobs.worker.meeting import CHOSEN, Meeting
from study.errors import ConfigError
from study.quoting import quoted
from study.storage.yaml_file import check_keys

if TYPE_CHECKING:
    from jobs.profile import Profile

_INTERFACE = re.compile(r"[A-Za-z0-9_.:-]{1,15}")  # IFNAMSIZ of Linux
_SUFFIX = re.compile(r"[A-Za-z0-9.-]+")
_PORTS = re.compile(r"(\d{1,5})-(\d{1,5})")
_NAMES = {
    "interface": (_INTERFACE, "is no name of a network interface; write e.g. interface: ib0"),
    "suffix": (_SUFFIX, "is no end of a node's name; write e.g. suffix: -ib0"),
}
LOWEST_PORT, HIGHEST_PORT = 1024, 65535


def read_python(source: str, value: Any) -> list[str]:
    """Return the words of the command that starts a job's Python: this one where none is given.

    Raises:
        ConfigError: the value is no command, or needs a shell.
    """
    if value is None:
        return [sys.executable]
    example = 'write e.g. python: "apptainer exec --nv torch.sif python"'
    if not isinstance(value, str):
        raise ConfigError(source, f"python: {quoted(value)} is no text; {example}")
    try:
        words = shlex.split(value)
    except ValueError as error:
        problem = str(error)[:1].lower() + str(error)[1:]
        raise ConfigError(source, f"python: {quoted(value)}: {problem}; {example}") from None
    if not words or not words[0]:
        raise ConfigError(source, f"python: {quoted(value)} is empty; {example}")
    if any(mark in value for mark in "$`") or any(word.startswith("~") for word in words):
        raise ConfigError(
            source, f"python: {quoted(value)}: no shell expands $, ` or ~ in it; write the path out"
        )
    return words


def read_meeting(source: str, value: Any) -> Meeting:
    """Return where ranks meet: by default at the first node's name, at one of the default ports.

    Raises:
        ConfigError: a key is unknown, or a value is no interface, suffix or range of ports.
    """
    if value is None:
        return Meeting()
    given = check_keys(value, ("interface", "suffix", "ports"), source, "rendezvous")
    for key, (pattern, problem) in _NAMES.items():
        if key in given and not _matches(pattern, given[key]):
            raise ConfigError(source, f"rendezvous.{key}: {quoted(given[key])} {problem}")
    if len(_NAMES.keys() & given) > 1:
        raise ConfigError(source, "rendezvous: interface and suffix exclude each other; give one")
    names = {key: given[key] for key in _NAMES if key in given}
    if "ports" not in given:
        return Meeting(**names)
    match = _PORTS.fullmatch(given["ports"]) if isinstance(given["ports"], str) else None
    first, last = (int(match[1]), int(match[2])) if match else (0, 0)
    if not LOWEST_PORT <= first <= last <= HIGHEST_PORT:
        raise ConfigError(
            source,
            f"rendezvous.ports: {quoted(given['ports'])} is no range within "
            f'{LOWEST_PORT}-{HIGHEST_PORT}; write e.g. ports: "20000-60000"',
        )
    return Meeting(**names, first_port=first, last_port=last)


def _matches(pattern: re.Pattern[str], value: Any) -> bool:
    return isinstance(value, str) and pattern.fullmatch(value) is not None


def python_of(profile: "Profile") -> list[str]:
    """Return the command that starts a job's Python."""
    return read_python(profile.source, profile.python)


def meeting_of(profile: "Profile") -> Meeting:
    """Return where the ranks of this profile's jobs meet."""
    return read_meeting(profile.source, profile.rendezvous)


def rendezvous_line(profile: "Profile") -> str:
    """Return the line of an sbatch script that chooses where ranks meet.

    It falls back to the node's python3, since the profile's Python may be in a container that only
    srun starts.
    """
    command = ["-m", "jobs.rendezvous", *meeting_of(profile).options]
    pythons = [python_of(profile), ["python3"]]
    either = " || ".join(shlex.join([*python, *command]) for python in pythons)
    return f'export {CHOSEN}="$({either})"'
