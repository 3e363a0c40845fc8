"""The base of every part of a result file, and the types of its numbers."""

from typing import Annotated

import msgspec
from msgspec import Meta

Count = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Bytes = Count
Hertz = Count
Seconds = Annotated[float, Meta(ge=0, le=1e9)]
# What is left over between clocks may fall short of nothing by a little.
Remainder = Annotated[float, Meta(ge=-1, le=1e9)]
PerSecond = Annotated[float, Meta(gt=0, le=1e30)]


class Record(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    """A part of a result file, strict about its keys. Raw SI values; null is no value.

    It holds no part of itself, so the garbage collector need not know of it, which saves memory.
    """
