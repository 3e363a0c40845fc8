"""The sizes that several benchmarks of split models have as options."""

import argparse


def parser_of(doc: str | None, **sizes: int) -> argparse.ArgumentParser:
    """Return a parser that knows these options, whole numbers.

    Args:
        doc: the module's docstring.
        **sizes: the options and their defaults.
    """
    parser = argparse.ArgumentParser(
        description=doc, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for key, value in sizes.items():
        option = f"--{key.replace('_', '-')}"
        parser.add_argument(option, type=int, default=value, help=f"default {value}")
    return parser
