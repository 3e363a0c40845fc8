"""Environment variables of a measurement: those that may change its speed."""

from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from textwrap import shorten

from report.data.measured import MeasuredCase
from study.text import one_line

# Visible GPUs change no speed; numbers of threads are compared themselves where a CPU computes.
# Versions and folders are those of an image or a site; logs and traces are written beside the
# timed steps or not at all. TORCH_CPP_LOG_LEVEL and TORCH_NCCL_DUMP_ON_TIMEOUT are set for ranks.
NEUTRAL_VARIABLES = (
    "*_VISIBLE_DEVICES",
    "*_NUM_THREADS",
    "*_VERSION",
    "*_HOME",
    "*_PATH",
    "*_ROOT",
    "*_DIR",
    "NCCL_DEBUG*",
    "TORCH_CPP_LOG_LEVEL",
    "TORCH_CUDA_ARCH_LIST",
    "TORCH_NCCL_DUMP_ON_TIMEOUT",
)
# Ranks talk by these libraries; a case in one process does not.
OF_RANKS = ("NCCL_*", "GLOO_*", "TORCH_NCCL_*", "TORCH_GLOO_*")
# The interface by which ranks meet says nothing where all of them are on one host.
OF_HOSTS = ("*_SOCKET_IFNAME",)
# All that results recorded before variables were chosen by pattern. Of any other, such a result
# does not say whether it was set.
FORMER_VARIABLES = (
    "CUDA_VISIBLE_DEVICES",
    "CUDA_LAUNCH_BLOCKING",
    "CUDA_DEVICE_MAX_CONNECTIONS",
    "CUBLAS_WORKSPACE_CONFIG",
    "NVIDIA_TF32_OVERRIDE",
    "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE",
    "PYTORCH_ALLOC_CONF",
    "PYTORCH_CUDA_ALLOC_CONF",
    "PYTORCH_NO_CUDA_MEMORY_CACHING",
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "NCCL_DEBUG",
    "NCCL_DEBUG_SUBSYS",
    "NCCL_P2P_DISABLE",
    "NCCL_P2P_LEVEL",
)


NAMED = 3  # variables in a sentence
MAX_VALUE = 60  # characters of a value in a sentence


@dataclass(frozen=True)
class Scope:
    """The variables by which some measurements can be compared.

    Attributes:
        former: Only those of `FORMER_VARIABLES`: a measurement records no others.
        in_processes: Those of communication between ranks, too: all measurements have ranks.
    """

    former: bool = False
    in_processes: bool = True


def common_scope(results: Iterable[MeasuredCase]) -> Scope:
    """Return the variables that all of these could have recorded, and that matter to all."""
    former, in_processes = False, True
    for result in results:
        former = former or records_former_names(result)
        in_processes = in_processes and result.case.in_processes
    return Scope(former, in_processes)


def records_former_names(result: MeasuredCase) -> bool:
    """Return True if the result may be from before variables were recorded by pattern."""
    return all(name in FORMER_VARIABLES for name in result.environment.variables)


def variables(result: MeasuredCase, scope: Scope) -> dict[str, str]:
    """Return the variables of a scope that may change the speed, sorted by name."""
    left_out = list(NEUTRAL_VARIABLES)
    if not scope.in_processes:
        left_out += OF_RANKS
    if len(result.hosts) < 2:
        left_out += OF_HOSTS
    return {
        name: value
        for name, value in sorted(result.environment.variables.items())
        if not _is_one_of(name, left_out) and (not scope.former or name in FORMER_VARIABLES)
    }


def _is_one_of(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def why_variables_differ(a: MeasuredCase, b: MeasuredCase, scope: Scope) -> str:
    """Return the variables that differ, with both values: `NCCL_ALGO: 'Ring' and not set`.

    Args:
        a: A measurement.
        b: Another one.
        scope: The variables by which the two are compared.
    """
    left, right = variables(a, scope), variables(b, scope)
    names = [name for name in sorted({*left, *right}) if left.get(name) != right.get(name)]
    return _first_few(
        f"{name}: {' and '.join(sorted(_shown(side.get(name)) for side in (left, right)))}"
        for name in names
    )


def _first_few(texts: Iterable[str]) -> str:
    found = [one_line(text) for text in texts]
    more = len(found) - NAMED
    return ", ".join([*found[:NAMED], f"{more} more"] if more > 0 else found)


def why_variables_may_differ(a: MeasuredCase, b: MeasuredCase) -> str | None:
    """Return the variables that are known to have been set for one of two measurements alone.

    None if there are none. Whether they differ is not known: a result from before these were
    recorded does not say.
    """
    scope = common_scope([a, b])
    if not scope.former:
        return None
    both = Scope(former=False, in_processes=scope.in_processes)
    found = sorted({*variables(a, both)} ^ {*variables(b, both)})
    names = [name for name in found if name not in FORMER_VARIABLES]
    return f"only one of the two is known to have had {_first_few(names)} set" if names else None


def _shown(value: str | None) -> str:
    return "not set" if value is None else shorten(repr(value), MAX_VALUE, placeholder=" …")
