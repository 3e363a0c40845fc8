"""Shared weights of a pipeline: what adding up their gradients costs, and what it is not."""

import msgspec
import pytest

from report.analysis.bubble import bubbles
from report.answers.pipelines import against_naive
from study.results.measurement import TimeSpan
from study.results.result import Collective
from tests.report.made_up_conditions import case_of
from tests.report.made_up_models import answers, gpt
from tests.report.made_up_pipeline import scheduled

ADDED_UP_S = 0.004


def tied(**keys):
    """A pipeline on 2 GPUs whose GPU 1 ends first, and waits to add up gradients with GPU 0."""
    made = gpt("1f1b", 2, tied=True, optimizer_s=0.01, **keys)
    breakdown = made.measurement.breakdown
    first = {gpu: min(s.start_s for s in breakdown.typical_step
                      if s.gpu == gpu and s.kind == "optimizer") for gpu in (0, 1)}  # fmt: skip
    end_s = max(first.values()) + ADDED_UP_S
    later = {gpu: end_s - start_s for gpu, start_s in first.items()}
    spans = [
        msgspec.structs.replace(
            s, start_s=s.start_s + later[s.gpu], end_s=s.end_s + later[s.gpu]
        ) if s.kind == "optimizer" else s
        for s in breakdown.typical_step
    ]  # fmt: skip
    spans += [TimeSpan(gpu=gpu, kind="collective", start_s=start_s, end_s=end_s)
              for gpu, start_s in first.items()]  # fmt: skip
    measurement = msgspec.structs.replace(
        made.measurement, breakdown=msgspec.structs.replace(breakdown, typical_step=spans)
    )
    one = Collective(operation="all_reduce", phase="backward", calls=1, bytes=2**27)
    transfers = msgspec.structs.replace(made.transfers, collectives=(one,))
    return msgspec.structs.replace(made, measurement=measurement, transfers=transfers)


@pytest.mark.parametrize("table", ["model", "schedules"])
def test_the_cost_is_that_of_the_last_to_come_and_the_wait_is_told_apart(tmp_path, table):
    text, _, _ = answers(tmp_path, tied(), gpus=(2,), table=table)
    assert (
        "2 GPUs add up gradients of shared weights (128 MiB): 4 ms of an instrumented step, "
    ) in text
    assert "for the last GPU to come; another waits for it, " in text


def test_it_is_communication_in_the_bubble_and_no_gap_that_nothing_explains():
    found = bubbles(case_of(tied()))
    assert all(bubble.rest == pytest.approx(0, abs=1e-9) for bubble in found)
    assert all(bubble.communication > 0.005 for bubble in found)


def test_it_is_no_tensor_parallelism():
    assert against_naive._together(case_of(tied())) == []
    assert against_naive._together(case_of(scheduled("tensor", gpus=2))) != []
