"""`python -m predict --stages 1024 --micro-batches 4096`: simulate pipelines of any size."""

import os
import sys

from study.first_contact import first_contact

with first_contact():
    from predict.simulation.command import answer
    from study.errors import ConfigError


def main() -> int:
    """Print the answer to the command line; return the exit code."""
    try:
        text = answer()
    except ConfigError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    try:
        print(text, end="", flush=True)
    except BrokenPipeError:  # e.g. `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


if __name__ == "__main__":
    sys.exit(main())
