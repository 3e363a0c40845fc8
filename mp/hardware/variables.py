"""Environment variables that change speed, as they were before this process set any itself.

An environment holds secrets, too: what looks like one is never recorded, nor where a path leads.
"""

import os
import re

# Of libraries that compute or move data. Every variable of theirs is recorded.
PREFIXES = (
    "CUDA_",
    "DNNL_",
    "GLOO_",
    "GOMP_",
    "HIP_",
    "KMP_",
    "MKL_",
    "NCCL_",
    "OMP_",
    "ONEDNN_",
    "OPENBLAS_",
    "PYTORCH_",
    "ROCR_",
    "TORCH_",
)
NAMES = ("CUBLAS_WORKSPACE_CONFIG", "NVIDIA_TF32_OVERRIDE")
LOGGING = ("TORCH_CPP_LOG_LEVEL",)  # changes no speed, and who starts ranks sets it
SECRET_NAME = re.compile(
    "KEY|TOKEN|SECRET|PASS|PWD|CREDENTIAL|AUTH|COOKIE|PRIVATE|SIGNATURE|LOGIN|USER", re.IGNORECASE
)
SECRET_VALUE = re.compile(r"://[^/\s]*@|-----BEGIN|\bBearer\b|(?i:password|token|secret)\s*[=:]")
PATH = re.compile(r"(^|[\s:;,=])(~|\.{0,2}/|[a-z]+://)", re.IGNORECASE)
A_PATH = "(a path)"
MAX_VARIABLES, MAX_NAME, MAX_VALUE = 100, 64, 200

_set_here: set[str] = set()


def set_default(name: str, value: str) -> None:
    """Set a variable of this process unless it is set; it is not recorded as somebody's choice."""
    if name not in os.environ:
        os.environ[name] = value
        _set_here.add(name)


def recorded_variables() -> dict[str, str]:
    """Return the variables that may change speed, at most 100, by name.

    A path is not shown, since it may name a person, a project or a job; long values are cut off.
    """
    names = sorted(name for name in os.environ if _is_recorded(name, os.environ[name]))
    return {name: _shown(os.environ[name]) for name in names[:MAX_VARIABLES]}


def _is_recorded(name: str, value: str) -> bool:
    if name in _set_here or name in LOGGING or len(name) > MAX_NAME or not name.isascii():
        return False
    if SECRET_NAME.search(name) or SECRET_VALUE.search(value):
        return False
    return name.startswith(PREFIXES) or name in NAMES


def _shown(value: str) -> str:
    if PATH.search(value):
        return A_PATH
    readable = value.encode(errors="replace").decode()  # a variable may be no text at all
    return readable if len(readable) <= MAX_VALUE else readable[: MAX_VALUE - 3] + "..."
