"""Loaded by every Python of a job that a test tampers with: see `fault`, `stand_in` of desk.py."""

import os
import resource
import sys
import time
from importlib.abc import MetaPathFinder
from importlib.util import spec_from_file_location
from pathlib import Path


def broken(error, method_before=None, gpus=None):
    """A method that raises the error; if `gpus` is given, only for cases of so many GPUs."""

    def method(self, *arguments):
        if gpus is None or gpus == len(self.devices):
            raise error
        return method_before(self, *arguments)

    return method


def starve(spare):
    """Refuse this process memory beyond what it has and so many bytes more."""
    limit = spare + resource.getpagesize() * int(Path("/proc/self/statm").read_text().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def idle(method):
    """The method, and before it a while of no work."""

    def wait_and_call(*arguments):
        time.sleep(0.05)
        return method(*arguments)

    return wait_and_call


class _Tamperer(MetaPathFinder):
    """Runs the statement as the benchmark is imported, or has the stand-in take its place."""

    def find_spec(self, name, path=None, target=None):
        if name != "mp.run":
            return None
        sys.meta_path.remove(self)
        if "MPBENCH_FAULT" not in os.environ:
            return spec_from_file_location(name, Path(__file__).with_name("stand_in.py"))
        import torch

        import mp.model

        names = {"mp": mp, "torch": torch, "broken": broken, "idle": idle, "starve": starve}
        exec(os.environ["MPBENCH_FAULT"], names | {"rank": os.environ.get("RANK")})
        return None


if {"MPBENCH_FAULT", "MPBENCH_STAND_IN"} & os.environ.keys():
    sys.meta_path.insert(0, _Tamperer())
