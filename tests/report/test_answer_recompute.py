"""What running layers again in backward saved and cost, where both were measured."""

from report.answers import memory
from report.data.measured import measured
from tests.report.made_up import MIB, result


def pair(**keys):
    return [
        measured(result("task3", gpus=2, step_s=step_s, peaks=peaks, recompute=how, **keys))
        for how, step_s, peaks in (
            ("layers", 0.13, [40 * MIB, 60 * MIB]),
            ("none", 0.1, [80 * MIB, 50 * MIB]),
        )
    ]


def said(results):
    found = [a for a in memory.answer(results) if a.question == memory.RECOMPUTED]
    return [sentence for answer in found for sentence in answer.sentences]


def test_memory_saved_and_time_lost_are_those_of_the_table():
    (sentence,) = said(pair())
    assert "With layers run again, the fullest GPU holds 25.0 % less at the peak: " in sentence
    assert (
        "60.0 MiB instead of 80.0 MiB. " in sentence or "62.9 MB instead of 83.9 MB. " in sentence
    )
    assert "Running layers again takes 30" in sentence
    assert ", with 130 ms and 100 ms a step. The second run adds no matrix product." in sentence


def test_nothing_is_said_where_only_one_was_measured():
    assert said(pair()[:1]) == []
