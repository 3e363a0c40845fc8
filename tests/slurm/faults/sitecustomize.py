"""Loaded by every Python of a job that a test wants to fail: see `fault` in test_faults.py."""

import os
import resource
import sys
import time
from importlib.abc import MetaPathFinder
from pathlib import Path


def broken(error, method_before=None, gpus=None):
    """A method that raises the error; if `gpus` is given, only for cases of so many GPUs."""

    def method(self, *arguments):
        if gpus is None or gpus == len(self.devices):
            raise error
        return method_before(self, *arguments)

    return method


def idle(method, until="/nowhere"):
    """The method, and before it a while of no work as long as this file is not there."""

    def wait_and_call(*arguments):
        if not os.path.exists(until):
            time.sleep(0.05)
        return method(*arguments)

    return wait_and_call


def starve(spare):
    """Refuse this process memory beyond what it has and so many bytes more."""
    limit = spare + resource.getpagesize() * int(Path("/proc/self/statm").read_text().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


class _Breaker(MetaPathFinder):
    """Runs the statement as soon as the benchmark has been imported."""

    def find_spec(self, name, path=None, target=None):
        if name != "mp.outcome":
            return
        sys.meta_path.remove(self)
        import torch

        import mp.model

        names = {"mp": mp, "torch": torch, "broken": broken, "idle": idle, "starve": starve}
        exec(os.environ["MPBENCH_FAULT"], names | {"rank": os.environ.get("RANK")})
        return


if "MPBENCH_FAULT" in os.environ:
    sys.meta_path.insert(0, _Breaker())
