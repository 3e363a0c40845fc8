"""A profile of cluster.yaml: where jobs run and how GPUs are asked for there."""

import shlex
import sys
import unicodedata
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Meta

from jobs.worker.meeting import Meeting
from study.errors import ConfigError
from study.quoting import quoted

# Network file systems keep what they know of a folder for half a minute, or a whole one.
RESULT_WAIT_S = 60
# Controls, half characters, and the line and paragraph separators of Unicode.
_NOT_IN_A_LINE = {"Cc", "Cs", "Zl", "Zp"}
LOWEST_PORT, HIGHEST_PORT = 1024, 65535
_PYTHON = 'write e.g. python: "apptainer exec --nv torch.sif python"'
_PORTS = f'is no range within {LOWEST_PORT}-{HIGHEST_PORT}; write e.g. ports: "20000-60000"'
_INTERFACE = "is no name of a network interface; write e.g. interface: ib0"
_SUFFIX = "is no end of a node's name; write e.g. suffix: -ib0"
_GPU_REQUEST = 'is not gpus_per_node, gres, or a typed one such as "gres:gpu:a100:{n}"'


def _whole(unit: str, least: int = 1, hint: str = "") -> Meta:
    return Meta(ge=least, description=f"is not a whole number of {unit}, {least} or more{hint}")


def _text(problem: str, pattern: str) -> Meta:
    return Meta(pattern=rf"\A({pattern})\Z", description=problem)


class Rendezvous(msgspec.Struct, frozen=True):
    """The key `rendezvous`; empty is the default."""

    interface: Annotated[str, _text(_INTERFACE, r"[A-Za-z0-9_.:-]{1,15}")] = ""  # IFNAMSIZ
    suffix: Annotated[str, _text(_SUFFIX, r"[A-Za-z0-9.-]+")] = ""
    ports: Annotated[str, _text(_PORTS, r"\d{1,5}-\d{1,5}")] = ""


class Limits(msgspec.Struct, frozen=True):
    """Those parameters of submitit that have a unit."""

    timeout_min: Annotated[int, _whole("minutes", hint="; write minutes, e.g. 60")]
    cpus_per_task: Annotated[int, _whole("CPUs")] = 1
    mem_gb: Annotated[int, _whole("GB")] = 1


class Profile(msgspec.Struct, frozen=True):
    """One entry of cluster.yaml. `source` is what error messages call it."""

    name: str
    source: str
    executor: str
    device: Literal["auto", "cpu", "cuda"]
    cluster_name: Annotated[str, Meta(description="is no text; write it in quotes")] | None = None
    gpus_per_node: Annotated[int, _whole("GPUs a node has")] | None = None
    gpu_request: Annotated[
        str, _text(_GPU_REQUEST, r"(gres|gpus_per_node)(:[A-Za-z0-9_.:-]*\{n\})?")
    ] = "gpus_per_node"
    gpu_memory_gb: (
        Annotated[
            float,
            Meta(gt=0, le=10_000, description="is no number of GB above 0, at most 10000; "
                 "write what `nvidia-smi` shows in MiB / 1024, e.g. gpu_memory_gb: 80"),
        ]
        | None
    ) = None  # fmt: skip
    max_parallel: Annotated[int, _whole("jobs")] = 0  # no limit
    result_wait_s: Annotated[int, _whole("seconds", least=0)] = RESULT_WAIT_S
    submitit: dict[str, Any] | None = None
    python: Annotated[str, Meta(description=f"is no text; {_PYTHON}")] | None = None
    rendezvous: Rendezvous | None = None

    @property
    def timeout_min(self) -> int | None:
        """The time limit of a job; None where nothing limits it."""
        return self.submitit["timeout_min"] if self.submitit else None

    @property
    def partition(self) -> str:
        """The partition that jobs ask for; empty for the default one."""
        return (self.submitit or {}).get("slurm_partition") or ""

    @property
    def gpu_type(self) -> str:
        """The type of GPUs that `gpu_request` names, as Slurm has it; empty where it names none."""
        words = self.gpu_request.partition(":")[2].split(":")
        return ":".join(word for word in words if word not in ("gpu", "{n}"))

    def gpu_parameters(self, gpus: int) -> dict[str, str]:
        """Return the sbatch option that asks for exactly `gpus` GPUs on each node."""
        option, _, template = self.gpu_request.partition(":")
        if not template:
            template = "gpu:{n}" if option == "gres" else "{n}"
        return {option: template.replace("{n}", str(gpus))}

    def python_command(self) -> list[str]:
        """Return the words that start a job's Python: this one unless the profile names another.

        Raises:
            ConfigError: the profile's text is no command, or needs a shell.
        """
        if self.python is None:
            return [sys.executable]
        given = f"python: {quoted(self.python)}"
        try:
            words = shlex.split(self.python)
        except ValueError as error:
            problem = str(error)[:1].lower() + str(error)[1:]
            raise ConfigError(self.source, f"{given}: {problem}; {_PYTHON}") from None
        if not words or not words[0]:
            raise ConfigError(self.source, f"{given} is empty; {_PYTHON}")
        if any(mark in self.python for mark in "$`") or any(w.startswith("~") for w in words):
            problem = "no shell expands $, ` or ~ in it; write the path out"
            raise ConfigError(self.source, f"{given}: {problem}")
        return words

    def meeting(self) -> Meeting:
        """Return where ranks meet: by default at the first node's name, at a default port.

        Raises:
            ConfigError: the ports are no range, or both interface and suffix are given.
        """
        given = self.rendezvous or Rendezvous()
        if given.interface and given.suffix:
            problem = "rendezvous: interface and suffix exclude each other; give one"
            raise ConfigError(self.source, problem)
        if not given.ports:
            return Meeting(given.interface, given.suffix)
        first, last = map(int, given.ports.split("-"))
        if not LOWEST_PORT <= first <= last <= HIGHEST_PORT:
            raise ConfigError(self.source, f"rendezvous.ports: {quoted(given.ports)} {_PORTS}")
        return Meeting(given.interface, given.suffix, first, last)


def check_types(
    source: str, values: dict[str, Any], struct: type[msgspec.Struct], where: str = ""
) -> None:
    """Refuse a value that is not of its field's type, and a missing one that has no default.

    Args:
        source: what the message calls the profile.
        values: by key; keys that are no field are left alone.
        struct: has the fields.
        where: the keys above these in the file, e.g. `submitit.`.

    Raises:
        ConfigError: it names the key, the value and what is allowed.
    """
    hints = get_type_hints(struct, include_extras=True)
    for field in msgspec.structs.fields(struct):
        if not field.required and field.name not in values:
            continue
        value = values.get(field.name)
        try:
            msgspec.convert(value, type=hints[field.name])
        except msgspec.ValidationError:
            allowed = _problem_of(hints[field.name])
            raise ConfigError(source, f"{where}{field.name}: {quoted(value)} {allowed}") from None


def _problem_of(hint: Any) -> str:
    """Return what is wrong with a value that is not of this type."""
    if get_origin(hint) is Literal:
        return f"is not one of: {', '.join(get_args(hint))}"
    for part in (hint, *get_args(hint)):
        for meta in getattr(part, "__metadata__", ()):
            return str(meta.description)
    return "is not a mapping; write `key: value` lines"


def check_lines(source: str, where: str, value: Any) -> None:
    """Refuse what would be more than one line of an sbatch script, wherever in the value it is.

    Quotes do not help: sbatch reads its options, and a shell its commands, line by line.

    Args:
        source: what the message calls the profile.
        where: the value's key.
        value: a text, or mappings and lists of texts.

    Raises:
        ConfigError: it names the key and the value.
    """
    if isinstance(value, dict):
        for key, held in value.items():
            check_lines(source, where, key)
            check_lines(source, f"{where}.{key}", held)
    elif isinstance(value, list | tuple | set):
        for held in value:
            check_lines(source, where, held)
    elif isinstance(value, str) and _NOT_IN_A_LINE & set(map(unicodedata.category, value)):
        problem = f"{where}: {quoted(value)} has a line break or another control character"
        raise ConfigError(source, f"{problem}; write one line (a list has an entry for each)")
