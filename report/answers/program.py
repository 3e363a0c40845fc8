"""The step time of a program along every axis of its grid."""

from report.answers import scaling, sweep
from report.answers.phrases import case_label
from report.answers.pipelines.ranking import step_s
from report.data.labels import differing, differs
from report.data.measured import MeasuredCase
from report.document import Answer
from report.wording.units import count_of, seconds

QUESTION = "How long does a step take?"


def answer(results: list[MeasuredCase]) -> list[Answer]:
    """Return the range of step times, then an answer for each axis."""
    return [
        Answer(QUESTION, [*_range(results), *_emulated(results)]),
        *sweep.answer(results),
        *scaling.answer(results),
    ]


def headlines(results: list[MeasuredCase]) -> list[str]:
    """Return the range, and the first sentence of each axis."""
    return [*_range(results), *sweep.headlines(results), *scaling.headlines(results)]


def _range(results: list[MeasuredCase]) -> list[str]:
    """Name the shortest and the longest; steps and whole runs apart."""
    found = []
    for tells in (True, False):
        alike = [r for r in results if r.program is not None and r.program.tells_steps == tells]
        what = "step" if tells else "whole run of a program that said no steps"
        if len(alike) == 1:
            found.append(f"A {what} takes {_words(alike[0], results)}.")
        elif alike:
            least, most = min(alike, key=step_s), max(alike, key=step_s)
            ends = _words(least, results), _words(most, results)
            if seconds(step_s(least)) == seconds(step_s(most)):
                found.append(f"A {what} takes {seconds(step_s(least))} in all {len(alike)} cases.")
            else:
                found.append(f"The shortest {what} takes {ends[0]}, the longest {ends[1]}.")
    return found


def _words(result: MeasuredCase, results: list[MeasuredCase]) -> str:
    """Return `20.1 ms (2 GPUs, args.layers 8)`."""
    label = case_label(result.case, differing(results)).removesuffix(": ")
    return seconds(step_s(result)) + (f" ({label[0].lower()}{label[1:]})" if label else "")


def _emulated(results: list[MeasuredCase]) -> list[str]:
    """Say why nothing is told of numbers of GPUs, if a program ran without them."""
    without = [result for result in results if result.emulated]
    if not without or not differs(results, "gpus"):
        return []
    count = count_of(len(without), "case")
    return [f"What more GPUs bring is not told of {count}, which ran without GPUs."]
