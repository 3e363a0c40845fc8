"""Encode results, and decode them with validation."""

from pathlib import Path

import msgspec

from study.errors import ConfigError
from study.results.result import SCHEMA_VERSION, Result
from study.results.validation import ResultError, check_result
from study.storage.files import NOT_THE_DATA, read_file

MAX_BYTES = 64 * 1024 * 1024  # two million steps; more is something else

_DECODER = msgspec.json.Decoder(Result)


class _Header(msgspec.Struct):
    schema_version: int


def encode(result: Result) -> bytes:
    """Return the result as indented JSON; NaN and infinity become null."""
    return msgspec.json.format(msgspec.json.encode(result), indent=2) + b"\n"


def read_result(path: Path) -> Result:
    """Return the result in this file.

    Raises:
        ResultError: the file holds no result, or is none that a job would write.
        OSError: it cannot be read; FileNotFoundError where there is none.
    """
    return decode(read_file(path, most=MAX_BYTES))


def decode(data: bytes) -> Result:
    """Return the result in these bytes.

    Raises:
        ResultError: they are none.
    """
    try:
        result = _decode_result(data)
        check_result(result)
    except (*NOT_THE_DATA, ConfigError, ValueError) as error:
        raise ResultError(f"is not a result: {error}") from None
    return result


def _decode_result(data: bytes) -> Result:
    try:
        result = _DECODER.decode(data)
        version = result.schema_version
    except NOT_THE_DATA:  # the version may be why
        version = msgspec.json.decode(data, type=_Header).schema_version
        if version == SCHEMA_VERSION:
            raise
    if version != SCHEMA_VERSION:
        raise ResultError(f"has schema_version {version}; this code reads {SCHEMA_VERSION}")
    return result
