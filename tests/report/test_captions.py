"""Captions of tables promise no column that the table does not have."""

import pytest

from report.data.measured import measured
from report.tables.details import bubbles, memory_parts, one_gpu, schedule_costs
from report.tables.details.one_gpu import where_they_are
from tests.report.made_up_pipeline import scheduled

ON_A_CPU = {"gpu_name": None, "threads": 1, "cores": 2}
IN_FLIGHT = "in flight: the most micro-batches"


def schedules(*names, **keys):
    """A case of each on 2 GPUs."""
    return [measured(scheduled(name, gpus=2, **keys)) for name in names]


@pytest.mark.parametrize(("keys", "is_known"), [({}, True), (ON_A_CPU, False)])
def test_memory_of_the_fullest_gpu_is_promised_where_it_is_shown(keys, is_known):
    table = schedule_costs.make_table(schedules("naive", "gpipe", **keys))
    assert ("memory of the fullest GPU" in table.caption) is is_known
    assert ("peak memory" in table.columns) is is_known
    assert table.caption.endswith(", and data moved in a step")


def test_activations_in_flight_are_promised_where_a_schedule_has_micro_batches():
    of_ddp, of_gpipe = (schedules(name) for name in ("ddp", "gpipe"))
    assert schedule_costs.make_table(of_ddp).caption.startswith("Memory of the fullest GPU, and ")
    assert schedule_costs.make_table(of_gpipe).caption.startswith("Micro-batches in flight on")
    assert IN_FLIGHT not in bubbles.make_table(of_ddp).caption
    assert IN_FLIGHT in bubbles.make_table(of_gpipe).caption


@pytest.mark.parametrize(("keys", "is_known"), [({}, True), (ON_A_CPU, False)])
def test_memory_is_said_to_be_measured_where_it_is(keys, is_known):
    table = memory_parts.make_table(schedules("gpipe", **keys))
    assert table.caption.endswith(" and measured") is is_known


def test_schedules_on_one_gpu_are_not_said_to_have_micro_batches_where_they_have_none():
    on_one = [measured(scheduled(name, gpus=1)) for name in ("naive", "ddp", "tensor")]
    results = [*on_one, *schedules("ddp")]
    assert "micro-batches" not in one_gpu.make_table(results).caption
    (line,) = where_they_are(one_gpu.kept_apart(results))
    assert line.endswith("a schedule on 1 GPU shows what it costs, and cannot gain.")
