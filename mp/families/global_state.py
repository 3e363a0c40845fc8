"""Global state of torch and Python that code of others changes: compared, undone and named."""

import gc
import os
import signal
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch

from mp.hardware.variables import NAMES, PREFIXES

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)
OURS = (*PREFIXES, "LOCAL_", "MASTER_", "MPBENCH_", "RANK", "SLURM_", "WORLD_SIZE")


@dataclass(frozen=True)
class Setting:
    """One piece of global state.

    Attributes:
        name: as a person would look it up.
        read: returns its value, to be compared.
        write: sets it to a value that was read.
        is_measured: True if it may change what a step computes, or how long it takes.
        is_named: False for what every import may change.
        is_refused: True for what cannot be undone for sure.
    """

    name: str
    read: Callable[[], Any]
    write: Callable[[Any], Any]
    is_measured: bool = True
    is_named: bool = True
    is_refused: bool = False


def _set_device(device: torch.device) -> None:
    # With None torch asks nobody before each call; with the CPU it would.
    torch.set_default_device(None if device.type == "cpu" else device)


def _read_deterministic() -> tuple[bool, bool]:
    warns_only = torch.is_deterministic_algorithms_warn_only_enabled()
    return torch.are_deterministic_algorithms_enabled(), warns_only


def _set_deterministic(value: tuple[bool, bool]) -> None:
    torch.use_deterministic_algorithms(value[0], warn_only=value[1])


def _attribute(owner: Any, key: str, name: str) -> Setting:
    return Setting(name, lambda: getattr(owner, key), lambda value: setattr(owner, key, value))


def _read_signals() -> list[Any]:
    return [signal.getsignal(number) for number in SIGNALS]


def _set_signals(handlers: list[Any]) -> None:
    for number, handler in zip(SIGNALS, handlers, strict=True):
        if handler is not None and signal.getsignal(number) is not handler:
            signal.signal(number, handler)


def _read_variables() -> dict[str, str]:
    return {
        name: value for name, value in os.environ.items() if name.startswith(OURS) or name in NAMES
    }


def _set_variables(values: dict[str, str]) -> None:
    for name in _read_variables().keys() - values.keys():
        del os.environ[name]
    os.environ.update(values)


def _set_gc(is_on: bool) -> None:
    (gc.enable if is_on else gc.disable)()


def _set_filters(filters: list[Any]) -> None:
    warnings.filters[:] = filters  # type: ignore[index]
    getattr(warnings, "_filters_mutated", bool)()  # or what was shown once is shown again


_CUDNN, _CUDA = torch.backends.cudnn, torch.backends.cuda
SETTINGS = (
    Setting("torch.set_default_dtype", torch.get_default_dtype, torch.set_default_dtype),
    Setting("torch.set_default_device", torch.get_default_device, _set_device, is_refused=True),
    Setting("torch.set_num_threads", torch.get_num_threads, torch.set_num_threads),
    Setting(
        "torch.set_float32_matmul_precision",
        torch.get_float32_matmul_precision,
        torch.set_float32_matmul_precision,
    ),
    Setting("torch.use_deterministic_algorithms", _read_deterministic, _set_deterministic),
    Setting("torch.set_grad_enabled", torch.is_grad_enabled, torch.set_grad_enabled),
    Setting(
        "torch.autograd.set_detect_anomaly",
        torch.is_anomaly_enabled,
        torch.autograd.set_detect_anomaly,
    ),
    Setting(
        "autocast",
        lambda: [torch.is_autocast_enabled(kind) for kind in ("cpu", "cuda")],
        lambda on: [
            torch.set_autocast_enabled(k, o) for k, o in zip(("cpu", "cuda"), on, strict=True)
        ],
    ),
    _attribute(_CUDNN, "enabled", "torch.backends.cudnn.enabled"),
    _attribute(_CUDNN, "benchmark", "torch.backends.cudnn.benchmark"),
    _attribute(_CUDNN, "deterministic", "torch.backends.cudnn.deterministic"),
    _attribute(_CUDNN, "allow_tf32", "torch.backends.cudnn.allow_tf32"),
    Setting(
        "torch.backends.cuda.enable_flash_sdp", _CUDA.flash_sdp_enabled, _CUDA.enable_flash_sdp
    ),
    Setting(
        "torch.backends.cuda.enable_mem_efficient_sdp",
        _CUDA.mem_efficient_sdp_enabled,
        _CUDA.enable_mem_efficient_sdp,
    ),
    Setting("torch.backends.cuda.enable_math_sdp", _CUDA.math_sdp_enabled, _CUDA.enable_math_sdp),
    Setting(
        "torch.backends.cuda.enable_cudnn_sdp", _CUDA.cudnn_sdp_enabled, _CUDA.enable_cudnn_sdp
    ),
    Setting("gc", gc.isenabled, _set_gc),
    Setting("sys.setrecursionlimit", sys.getrecursionlimit, sys.setrecursionlimit),
    Setting("variables of libraries and ranks", _read_variables, _set_variables),
    Setting("signal handlers", _read_signals, _set_signals, is_measured=False),
    Setting(
        "warnings filters",
        lambda: list(warnings.filters),
        _set_filters,
        is_measured=False,
        is_named=False,
    ),
    Setting("the current folder", os.getcwd, os.chdir, is_measured=False),
)


@dataclass
class Changes:
    """Settings that a piece of code has changed.

    Attributes:
        measured: names of settings that may change what is measured.
        others: names of the others.
        refused: names of those that cannot be undone for sure.
    """

    measured: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()


@contextmanager
def kept_state() -> Iterator[Changes]:
    """Undo what is changed within; afterwards the value that was yielded names it.

    The states of torch's generators are put back, too, and not named: all code draws numbers.
    """
    changes = Changes()
    before = [(setting, setting.read()) for setting in SETTINGS]
    drawn = torch.get_rng_state()
    try:
        yield changes
    finally:
        found = [setting for setting, value in before if _undone(setting, value)]
        found = [setting for setting in found if setting.is_named]
        torch.set_rng_state(drawn)
        changes.measured = tuple(setting.name for setting in found if setting.is_measured)
        changes.refused = tuple(setting.name for setting in found if setting.is_refused)
        changes.others = tuple(setting.name for setting in found if not setting.is_measured)


def _undone(setting: Setting, value: Any) -> bool:
    """Undo a change of the setting; return whether there was one."""
    try:
        if setting.read() == value:
            return False
    except Exception:  # torch refuses to read what was set by its newer and its older functions
        pass
    setting.write(value)
    return True
