"""Loaded by every Python of a job that a test wants to fail: see `fault` in test_faults.py."""

import os
import sys
from importlib.abc import MetaPathFinder


def broken(error, method_before=None, gpus=None):
    """A method that raises the error; if `gpus` is given, only for cases of so many GPUs."""

    def method(self, *arguments):
        if gpus is None or gpus == len(self.devices):
            raise error
        return method_before(self, *arguments)

    return method


class _Breaker(MetaPathFinder):
    """Runs the statement as soon as the benchmark has been imported."""

    def find_spec(self, name, path=None, target=None):
        if name != "mp.outcome":
            return
        sys.meta_path.remove(self)
        import torch

        import mp.model

        exec(os.environ["MPBENCH_FAULT"], {"mp": mp, "torch": torch, "broken": broken})
        return


if "MPBENCH_FAULT" in os.environ:
    sys.meta_path.insert(0, _Breaker())
