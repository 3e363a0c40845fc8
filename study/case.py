"""A case: one full configuration of the benchmark, and its id."""

import hashlib
import re
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import UNSET, Meta, UnsetType

from study.models import KINDS, absent_model_keys
from study.schedules import SCHEDULES, absent_keys

Split = Literal["half", "even"]
if TYPE_CHECKING:
    Schedule = str
    Kind = str
else:  # an entry of the table is a value, and nothing else is
    Schedule, Kind = Literal[tuple(SCHEDULES)], Literal[tuple(KINDS)]
MAX_REPEATS = 1_000
MOST_ARGUMENTS = 50
# Keys that ids lack where they have their default: they are newer than some results.
NEWER = {"gradients": "separate", "data_parallel": 1, "recompute": "none"}
ARGUMENT = "args."  # begins the name of an argument where keys stand


def _whole(low: int, high: int) -> Meta:
    return Meta(ge=low, le=high, description=f"a whole number from {low} to {high}")


def _text(pattern: str, description: str) -> Meta:
    return Meta(pattern=pattern, max_length=4096, description=description)


T = TypeVar("T")
_NO_FIELD = object()
ArgumentName = Annotated[str, Meta(pattern=r"\A[A-Za-z_][A-Za-z0-9_]{0,63}\Z")]
# No control character, which a terminal might obey, and no half of a pair, which no file can hold.
_PLAIN = r"[^\x00-\x1f\x7f\ud800-\udfff]"
ArgumentText = Annotated[str, Meta(pattern=rf"\A{_PLAIN}*\Z", max_length=1000)]
ArgumentInt = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]  # what JSON can hold
Argument = bool | ArgumentInt | float | ArgumentText
Arguments = Annotated[
    tuple[tuple[ArgumentName, Argument], ...],
    Meta(
        max_length=MOST_ARGUMENTS,
        description=f"at most {MOST_ARGUMENTS} names with a number, true, false or a text each",
    ),
]


class Case(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One full configuration. Two cases with equal fields are the same case.

    Timed steps end once the 95 % confidence interval of their median is within `ci_half_width` of
    it (relative; 0 is never), or at `steps` or `time_limit_s`, whichever comes first. Warm-up ends
    once it is steady, or at `warmup_steps` or half of `time_limit_s`. `repeat` counts the jobs that
    measure one configuration.

    `schedule`: `naive` has one GPU at work at a time; `tensor` splits every layer over all GPUs;
    the others are pipelines of `micro_batches` (study/schedules.py has their rules).
    `chunks_per_gpu` is how many runs of layers each GPU of an interleaved pipeline holds; `balance`
    says of what stages get equal amounts, as far as possible, or how many layers each stage gets.
    `gradients` says who computes the weight gradients of linear layers: autograd, one tensor for
    each micro-batch, or `fused`, inside of the product that adds them to those there are.
    `data_parallel` is how many replicas of a pipeline share the batch and average their gradients;
    each has `gpus / data_parallel` GPUs, and `micro_batches` of its own.

    With `recompute: layers` each layer keeps its input alone, and runs forward again in backward.

    `kind` says what is trained (study/models.py); the keys below `repeat` are those of some kinds
    alone, and have no value in a case of another. Keys above it that a kind lacks keep their
    default, and mean nothing. `args` are the arguments of a factory or a program, sorted by name.

    A calibration has `calibrates` (study/values/calibrates.py), and measures no step: the keys that
    say how its model is split keep their defaults, and mean nothing.
    """

    depth: Annotated[int, _whole(1, 100_000)]
    gpus: Annotated[int, _whole(1, 4096)]
    dim: Annotated[int, _whole(1, 1_000_000)] = 4096
    batch_size: Annotated[int, _whole(1, 100_000_000)] = 64
    split: Split = "even"
    schedule: Schedule = "naive"
    micro_batches: Annotated[int, _whole(1, 1_000_000)] = 1
    chunks_per_gpu: Annotated[int, _whole(1, 1_000)] = 2
    balance: Annotated[
        str,
        _text(
            r"\A(layers|parameters|flops|time|[1-9]\d{0,5}(,[1-9]\d{0,5}){0,4095})\Z",
            "layers, parameters, flops, time or the number of layers of each stage, e.g. 7,7,6,4",
        ),
    ] = "layers"
    gradients: Literal["separate", "fused"] = "separate"
    data_parallel: Annotated[int, _whole(1, 4096)] = 1
    dtype: Literal["float32", "tf32", "bfloat16"] = "float32"
    optimizer: Literal["sgd", "adam"] = "sgd"
    execution: Literal["eager", "cuda_graph"] = "eager"
    recompute: Literal["none", "layers"] = "none"
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
    kind: Kind = "linear"
    heads: Annotated[int, _whole(1, 10_000)] | UnsetType = UNSET
    seq_len: Annotated[int, _whole(1, 10_000_000)] | UnsetType = UNSET
    vocab: Annotated[int, _whole(2, 10_000_000)] | UnsetType = UNSET
    tied: bool | UnsetType = UNSET
    width: Annotated[int, _whole(1, 100_000)] | UnsetType = UNSET
    image: Annotated[int, _whole(8, 100_000)] | UnsetType = UNSET
    classes: Annotated[int, _whole(2, 10_000_000)] | UnsetType = UNSET
    norm: Literal["group", "batch"] | UnsetType = UNSET
    factory: (
        Annotated[
            str,
            _text(
                r"\A[^\x00-\x1f\x7f\ud800-\udfff:]+\.py:[A-Za-z_][A-Za-z0-9_]*\Z",
                "a file and a function in it, e.g. models/mine.py:build",
            ),
        ]
        | UnsetType
    ) = UNSET
    sha256: Annotated[str, _text(r"\A[0-9a-f]{64}\Z", "64 hex digits")] | UnsetType = UNSET
    command: (
        Annotated[
            str,
            _text(rf"\A(?=.*\S){_PLAIN}*\Z", "a command line of at most 4096 characters"),
        ]
        | UnsetType
    ) = UNSET
    args: Arguments | UnsetType = UNSET
    calibrates: (
        Annotated[
            str,
            _text(
                r"\A[a-z_]+=[a-z0-9_,]+( [a-z_]+=[a-z0-9_,]+)*\Z",
                "what to calibrate, e.g. rows=512 gradients=separate schedules=1f1b layers=5",
            ),
        ]
        | UnsetType
    ) = UNSET

    def __eq__(self, other: object) -> bool:
        """Return whether all fields are equal; 1, 1.0 and true are three values of an argument."""
        if super().__eq__(other) is not True or not isinstance(other, Case):
            return False
        if isinstance(self.args, UnsetType) or isinstance(other.args, UnsetType):
            return True
        return [type(v) for _, v in self.args] == [type(v) for _, v in other.args]

    __hash__ = msgspec.Struct.__hash__

    @property
    def case_id(self) -> str:
        """`d20-g5-<8 hex digits of the configuration's hash>`; nothing parses it back.

        Of another kind than `linear` it begins with the kind: `gpt-d24-g4-…`, `program-g4-…`; of a
        calibration with `calibration-`.
        """
        absent = absent_keys(self.schedule)
        meant = {key: value for key, value in self.as_dict().items() if key not in absent}
        digest = hashlib.sha256(msgspec.json.encode(meant, order="sorted")).hexdigest()
        return f"{self._sizes}-{digest[:8]}"

    @property
    def _sizes(self) -> str:
        kind = "" if self.kind == "linear" else f"{self.kind}-"
        depth = f"d{self.depth}-" if self.has_key("depth") else ""
        calibration = "calibration-" if self.is_calibration else ""
        return f"{calibration}{kind}{depth}g{self.gpus}"

    @property
    def job_name(self) -> str:
        """Name of its job in `squeue`."""
        again = f"-r{self.repeat}" if self.repeat > 1 else ""
        how = "" if self.schedule == "naive" else f"-{self.schedule}"
        micro = f"-m{self.micro_batches}" if self.has_key("micro_batches") else ""
        replicas = f"-dp{self.data_parallel}" if self.data_parallel > 1 else ""
        return f"mp-{self._sizes}{how}{micro}{replicas}{again}"

    @property
    def in_processes(self) -> bool:
        """True if every GPU has a process; else one process has all GPUs."""
        return SCHEDULES[self.schedule].family != "naive" or (self.is_calibration and self.gpus > 1)

    @property
    def least_nodes(self) -> int:
        """The number of nodes that its job needs at least, however many GPUs a node has."""
        found = re.search(r"\bnodes=(\d+)", given(self.calibrates)) if self.is_calibration else None
        return 1 if found is None else int(found[1])

    @property
    def is_calibration(self) -> bool:
        """True if it measures what steps are made of, and no step."""
        return self.calibrates is not UNSET

    @property
    def parts(self) -> int:
        """The number of parts of the batch: the micro-batches of all replicas."""
        return self.replicas * self.micro_batches

    @property
    def replicas(self) -> int:
        """The number of models that train a share of the batch each, and average gradients."""
        is_shared = SCHEDULES[self.schedule].family == "data"
        return self.gpus if is_shared else self.data_parallel

    @property
    def pipeline_gpus(self) -> int:
        """The number of GPUs that one pipeline has; without replicas of it all of them."""
        return self.gpus // self.data_parallel

    @property
    def configuration(self) -> "Case":
        """The case without its repeat: what the jobs of all repeats have in common."""
        return msgspec.structs.replace(self, repeat=1)

    @property
    def layers(self) -> int:
        """The number of layers: `depth`, and those at the ends that it does not count."""
        return self.depth + KINDS[self.kind].end_layers

    @property
    def arguments(self) -> dict[str, Argument]:
        """The arguments of its factory or program, by name."""
        return dict(self.args) if self.args is not UNSET else {}

    def has_key(self, key: str) -> bool:
        """Return whether its kind of model and its schedule have this key."""
        if key.startswith(ARGUMENT):
            return key.removeprefix(ARGUMENT) in self.arguments
        if key == "calibrates":
            return self.is_calibration
        return key not in _absent(self.kind, self.schedule) and not (
            key == "kind" and self.kind == "linear"
        )

    def value(self, key: str) -> Any:
        """Return the value of a key, or of an argument as `args.<name>`; None where it has none."""
        value = getattr(self, key, _NO_FIELD)  # asked of thousands of cases, mostly for a field
        if value is _NO_FIELD:
            return self.arguments.get(key.removeprefix(ARGUMENT))
        return None if value is UNSET else value

    def as_dict(self) -> dict[str, Any]:
        """Return the keys that its kind has, with their values, in the order they are declared.

        Without `kind: linear`, without `NEWER` keys that have their default, and with `calibrates`
        of a calibration alone.
        """
        absent = absent_model_keys(self.kind)
        values = msgspec.structs.asdict(self)
        for key, default in NEWER.items():
            if values[key] == default:
                del values[key]
        if self.kind == "linear":
            del values["kind"]
        if not self.is_calibration:
            del values["calibrates"]
        return {key: value for key, value in values.items() if key not in absent}

    def flat(self) -> dict[str, Any]:
        """Return all keys that its kind has, with `args.<name>` for each argument, without `args`.

        Without `kind: linear`.
        """
        newer = {key: self.value(key) for key in NEWER if key not in absent_model_keys(self.kind)}
        values = self.as_dict() | newer
        values.pop("args", None)
        return values | {f"{ARGUMENT}{name}": value for name, value in self.arguments.items()}


@cache
def _absent(kind: str, schedule: str) -> frozenset[str]:
    return absent_model_keys(kind) | absent_keys(schedule)


def given(value: T | UnsetType) -> T:
    """Return the value of a key that the case's kind has."""
    assert not isinstance(value, UnsetType)
    return value
