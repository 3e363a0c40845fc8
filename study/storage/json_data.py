"""Decoding JSON that may be anything: one tuple of what can go wrong."""

import msgspec

# msgspec lets the last two through as they are.
NOT_THE_DATA = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
