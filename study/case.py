"""A case: one full configuration of the benchmark, and its id."""

import hashlib
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Meta

from study.errors import ConfigError
from study.quoting import quoted
from study.schedules import SCHEDULES, absent_keys, has_key

Split = Literal["half", "even"]
if TYPE_CHECKING:
    Schedule = str
else:
    Schedule = Literal[tuple(SCHEDULES)]  # an entry of the table is a value, and nothing else is
MAX_REPEATS = 1_000


def _whole(low: int, high: int) -> Meta:
    return Meta(ge=low, le=high, description=f"a whole number from {low} to {high}")


class Case(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One full configuration. Two cases with equal fields are the same case.

    Timed steps end once the 95 % confidence interval of their median is within `ci_half_width` of
    it (relative; 0 is never), or at `steps` or `time_limit_s`, whichever comes first. Warm-up ends
    once it is steady, or at `warmup_steps` or half of `time_limit_s`. `repeat` counts the jobs that
    measure one configuration.

    `schedule`: `naive` has one GPU at work at a time; `tensor` splits every layer over all GPUs;
    the others are pipelines of `micro_batches` (study/schedules.py has their rules).
    `chunks_per_gpu` is how many runs of layers each GPU of an interleaved pipeline holds; `balance`
    says whether stages get equal numbers of layers or, as far as possible, equal times.
    """

    depth: Annotated[int, _whole(1, 100_000)]
    gpus: Annotated[int, _whole(1, 4096)]
    dim: Annotated[int, _whole(1, 1_000_000)] = 4096
    batch_size: Annotated[int, _whole(1, 100_000_000)] = 64
    split: Split = "even"
    schedule: Schedule = "naive"
    micro_batches: Annotated[int, _whole(1, 1_000_000)] = 1
    chunks_per_gpu: Annotated[int, _whole(1, 1_000)] = 2
    balance: Literal["layers", "time"] = "layers"
    dtype: Literal["float32", "tf32", "bfloat16"] = "float32"
    optimizer: Literal["sgd", "adam"] = "sgd"
    execution: Literal["eager", "cuda_graph"] = "eager"
    seed: Annotated[int, _whole(0, 2**63 - 1)] = 0
    warmup_steps: Annotated[int, _whole(0, 10_000)] = 10_000
    steps: Annotated[int, _whole(1, 1_000_000)] = 10_000
    time_limit_s: Annotated[
        float, Meta(gt=0, le=604_800, description="a number of seconds above 0, at most 604800")
    ] = 60.0
    ci_half_width: Annotated[
        float, Meta(ge=0, le=0.5, description="a share of the median from 0 to 0.5, e.g. 0.005")
    ] = 0.005
    repeat: Annotated[int, _whole(1, MAX_REPEATS)] = 1

    @property
    def case_id(self) -> str:
        """`d20-g5-<8 hex digits of the configuration's hash>`; nothing parses it back."""
        meant = self.as_dict()
        for key in absent_keys(self.schedule):
            del meant[key]
        digest = hashlib.sha256(msgspec.json.encode(meant, order="sorted")).hexdigest()
        return f"d{self.depth}-g{self.gpus}-{digest[:8]}"

    @property
    def job_name(self) -> str:
        """Name of its job in `squeue`."""
        again = f"-r{self.repeat}" if self.repeat > 1 else ""
        how = "" if self.schedule == "naive" else f"-{self.schedule}"
        micro = f"-m{self.micro_batches}" if has_key("micro_batches", self.schedule) else ""
        return f"mp-d{self.depth}-g{self.gpus}{how}{micro}{again}"

    @property
    def in_processes(self) -> bool:
        """True if every GPU has a process; else one process has all GPUs."""
        return SCHEDULES[self.schedule].family != "naive"

    @property
    def configuration(self) -> "Case":
        """The case without its repeat: what the jobs of all repeats have in common."""
        return msgspec.structs.replace(self, repeat=1)

    def as_dict(self) -> dict[str, Any]:
        """Return all keys and values, in the order they are declared."""
        return msgspec.structs.asdict(self)


KEYS: tuple[str, ...] = Case.__struct_fields__
DEFAULTS: dict[str, Any] = {
    field.name: None if field.required else field.default for field in msgspec.structs.fields(Case)
}
_TYPES: dict[str, Any] = get_type_hints(Case, include_extras=True)


def check_value(key: str, value: Any, source: object) -> Any:
    """Return a value, converted to the type of its key.

    Args:
        key: a key of a case.
        value: the value as YAML or Python has it.
        source: the file or option that an error names.

    Raises:
        ConfigError: the key is unknown, or the value is none of it.
    """
    if key not in _TYPES:
        raise ConfigError(source, f"unknown key {quoted(key)}; known keys: {', '.join(KEYS)}")
    try:
        converted = msgspec.convert(value, type=_TYPES[key])
    except msgspec.ValidationError:
        raise ConfigError(source, f"{key}: {quoted(value)} is not {allowed(key)}") from None
    return 0.0 if converted == 0.0 and isinstance(converted, float) else converted  # not -0.0


def parse_value(key: str, text: str, source: object) -> Any:
    """Return a value that was written on a command line, converted like by `check_value`.

    Args:
        key: a key of a case.
        text: the value as a person typed it.
        source: the option that an error names.

    Raises:
        ConfigError: the key is unknown, or the text is no value of it.
    """
    if key in _TYPES and value_type(key) is not str:
        try:
            return check_value(key, value_type(key)(text), source)
        except (ValueError, OverflowError):
            raise ConfigError(source, f"{key}: {quoted(text)} is not {allowed(key)}") from None
    return check_value(key, text, source)


def value_type(key: str) -> type:
    """Return int, float or str."""
    base = get_args(_TYPES[key])[0]
    return base if base in (int, float) else str


def allowed(key: str) -> str:
    """Describe the values that a key takes."""
    if get_origin(_TYPES[key]) is Literal:
        return "one of: " + ", ".join(get_args(_TYPES[key]))
    _, meta = get_args(_TYPES[key])
    return str(meta.description)
