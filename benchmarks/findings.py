"""Findings of benchmarks/pipelines.py so far, which the first rank shows as Markdown."""

import json
from argparse import Namespace
from pathlib import Path

from benchmarks.entries import Entry
from benchmarks.pipeline_targets import Times, heading, table_lines, targets


class Findings:
    """Step times of groups, and reasons of contestants without any.

    Args:
        options: of the benchmark.
        is_first: whether this rank shows them.

    Attributes:
        times: by the name of the group.
        reasons: by the label of the contestant.
        bubbles: the measured share of waiting, as text.
    """

    def __init__(self, options: Namespace, *, is_first: bool) -> None:
        self.options, self.is_first = options, is_first
        self.times: dict[str, Times] = {}
        self.reasons: dict[str, str] = {}
        self.bubbles: dict[Entry, str] = {}
        self._shown: set[str] = set()

    def show(self, group: str) -> None:
        """Show the table of a group, once."""
        times = _measured(self.times[group])
        if times and group not in self._shown:
            self._shown.add(group)
            rounds = len(next(iter(times.values())))
            self.say(f"\n{group}, {rounds} rounds\n\n{heading(bool(self.bubbles))}")
            self.say("\n".join(table_lines(times, self.bubbles)))

    def show_end(self) -> None:
        """Show what was not shown yet, the reasons and the targets; save the step times."""
        for group in self.times:
            self.show(group)
        for reason in dict.fromkeys(self.reasons.values()):
            names = [name for name, its in self.reasons.items() if its == reason]
            self.say(f"\n{'; '.join(names)}: {reason}")
        self.say("\nThe fastest of several is chosen by the medians of this run.\n")
        for target in targets([*map(_measured, self.times.values())], self.options.gpus):
            self.say(target.line())
        if self.options.save and self.is_first:
            found = {
                group: {entry.label: steps for entry, steps in times.items()}
                for group, times in self.times.items()
            }
            Path(self.options.save).write_text(json.dumps(found))

    def say(self, line: str) -> None:
        """Print a line at once."""
        if self.is_first:
            print(line, flush=True)


def _measured(times: Times) -> Times:
    return {entry: steps for entry, steps in times.items() if steps}
