"""Command lines whose errors are one line, like every other error of a person's input."""

import argparse
from typing import NoReturn


class OneLineParser(argparse.ArgumentParser):
    """argparse, without the usage text in front of an error."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"error: {message}; see --help\n")
