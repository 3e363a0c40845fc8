"""No process that calls this unpickles anything: neither we nor torch may read pickles of ranks."""

import pickle

from torch.distributed import distributed_c10d


class Refusing(pickle.Unpickler):
    """Unpickles nothing."""

    def __init__(self, *arguments, **options):
        raise AssertionError("something was unpickled")


def forbid_pickles() -> None:
    """Let every attempt to unpickle raise, in this process and in those that it forks."""
    pickle.Unpickler = pickle.load = pickle.loads = Refusing
    distributed_c10d._unpickler = Refusing
