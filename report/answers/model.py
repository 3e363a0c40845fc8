"""A model of one's own: how many GPUs to ask for, and which schedule."""

from collections.abc import Sequence

from report.answers import sweep
from report.answers.best import overall
from report.answers.of_model import balance, choices, fit, losses, throughput, tied
from report.answers.of_model.tried import counts_of
from report.answers.phrases import MOST_GROUPS, more_settings
from report.answers.reasons import launching
from report.data.measured import MeasuredCase
from report.data.selection import GridTable
from report.document import Answer
from report.wording.hardware import shared_device

QUESTION = "How many GPUs should I ask for, and which schedule?"
STATEMENT = "How many GPUs to ask for"


def opening(grid_table: GridTable) -> list[Answer]:
    """Return what is best of all, then how many GPUs to ask for, and on how many it fits."""
    groups = counts_of(grid_table)
    told = [line for counts in groups[:MOST_GROUPS] for line in fit.sentences(counts)]
    told = list(dict.fromkeys(told))
    if groups:
        ask = Answer(QUESTION, [*told, *more_settings(len(groups))])
        return [*overall.opening(grid_table), ask]
    emulated = [result for result in grid_table.results if result.emulated]
    if not emulated:
        return []
    device = shared_device(emulated[0].environment)
    return [Answer(QUESTION, [f"{STATEMENT} cannot be told from these results: all GPUs were "
                              f"emulated by {device}."])]  # fmt: skip


def answer(results: list[MeasuredCase]) -> list[Answer]:
    """Return the choices, then speed, balance, losses and what else differs."""
    found = [
        Answer("Which schedule is fastest on each number of GPUs?", choices.sentences(results)),
        Answer("How fast does it train?", throughput.sentences(results)),
        *launching.answer(results),
        *about_layers(results),
        Answer(losses.SAME, losses.agreement(results)),
        *sweep.answer(results),
    ]
    return [answer for answer in found if answer.sentences]


def about_layers(results: Sequence[MeasuredCase]) -> list[Answer]:
    """Return what measured layers tell of pipelines; nothing of linear stacks."""
    found = [
        Answer(balance.QUESTION, balance.sentences(results)),
        Answer(tied.QUESTION, tied.sentences(results)),
    ]
    return [answer for answer in found if answer.sentences]


def headlines(results: list[MeasuredCase]) -> list[str]:
    """Return the best speed; the table's kind puts the answer on GPUs before it."""
    return throughput.sentences(results)[:1]
