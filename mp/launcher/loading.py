"""Loading of torch without Python's search for garbage."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def no_search_while_loading() -> Iterator[None]:
    """Import within this without a search for garbage, and leave what was loaded out of later ones.

    Torch and what it imports make 300,000 objects that stay to the end. Searches among them
    take a fifth of the import, and a tenth of a second each time that a benchmark collects garbage.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.collect()  # what is garbage by now would stay, too
        gc.freeze()
        gc.enable()
