"""The secret by which the ranks of one run know one another.

It comes in a variable of the environment, which on Linux only the same user can read
(/proc/PID/environ); not as an argument, which everybody on the node sees.
"""

import os
import secrets

from study.errors import CaseError

SECRET = "MPBENCH_SECRET"  # the variable: 32 bytes as hexadecimal digits
SECRET_BYTES = 32


def new_secret() -> str:
    """Return a secret that nobody has had before, as the variable holds it."""
    return secrets.token_hex(SECRET_BYTES)


def take_secret() -> bytes:
    """Return this rank's secret, and drop it from the environment of what the rank starts.

    Raises:
        CaseError: there is none, or it is too short to be one.
    """
    text = os.environ.pop(SECRET, "")
    try:
        secret = bytes.fromhex(text)
    except ValueError:
        secret = b""
    if len(secret) != SECRET_BYTES:
        raise CaseError(
            "this rank was given no secret to know the others by; a job that an earlier version of "
            "mpbench queued has none: submit the case again"
        )
    return secret
