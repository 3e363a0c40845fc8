"""What every part of a result file has in common."""

import msgspec


class Record(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A part of a result file, strict about its keys. Raw SI values; null is unknown."""
