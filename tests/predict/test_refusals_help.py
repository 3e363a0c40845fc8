"""The command that a refusal proposes does something that has not been done yet."""

import pytest

from predict.forecast.predict import LONGER
from study.calibration.cases import TIME_LIMIT_S, calibration_cases
from study.results.result import CaseFailure
from study.storage.prediction import Prediction
from tests.predict.made_up_calibration import calibration, case
from tests.predict.test_which_calibration import hot, predicted, refusal

LATER = {"finished_at": "2030-01-02T10:00:00.000+00:00"}
TENSOR = {"schedule": "tensor", "micro_batches": 1}
LATE, NO_ROOM = "No time was left for {}.", "{} runs out of memory."
FAILED = {"outcome": "timeout", "error": CaseFailure(type="T", message="out of time")}


def asked_for(made, nodes=1):
    """The calibrations that the command makes for a case."""
    return calibration_cases([made], lambda case: nodes, "a grid", TIME_LIMIT_S)


def done(made, one=None, pair=None, far=None, nodes=1):
    """Their results, with changes to each of them."""
    found = []
    for its, changes in zip(asked_for(made, nodes), (one, pair, far), strict=False):
        keys = {key: getattr(its, key) for key in ("batch_size", "calibrates", "time_limit_s")}
        result = calibration(its.gpus, its.least_nodes, **keys, **(changes or {}))
        assert result.case_id == its.case_id
        found.append(result)
    return found


def layers(**without):
    """The layers of a calibration, but for those that are like this."""
    found = calibration().calibration.layers
    return tuple(t for t in found if any(getattr(t, key) != its for key, its in without.items()))


def of_layers(missing, left_out):
    return {"layers": layers(**missing), "left_out": (left_out,) if left_out else ()}


ROWS, SHARE = "layer with 1024 rows", "layer in 2 shares with 8192 rows"
LAYER = f"{ROWS}, separate, unthrottled"
# A case, what its calibrations lack that were made by the very command, and what helps.
MADE = {
    "rows, no time": (case(), {"one": of_layers({"rows": 1024}, LATE.format(LAYER))}, "longer"),
    "rows, no memory": (
        case(), {"one": of_layers({"rows": 1024}, NO_ROOM.format(ROWS))}, "measure",
    ),
    "rows, unsaid": (case(), {"one": of_layers({"rows": 1024}, "")}, "again"),
    "an action, no time": (
        case(), {"one": of_layers({"kind": 1}, LATE.format(LAYER))}, "longer",
    ),
    "an action, no memory": (
        case(), {"one": of_layers({"kind": 1}, NO_ROOM.format(ROWS))}, "measure",
    ),
    "shares, no time": (
        case(**TENSOR),
        {"one": of_layers({"shares": 2}, LATE.format(f"{SHARE}, separate"))},
        "longer",
    ),
    "shares, no memory": (
        case(**TENSOR),
        {"one": of_layers({"shares": 2}, NO_ROOM.format(SHARE))},
        "measure",
    ),
    "the loss": (case(), {"one": {"kinds": calibration().calibration.kinds[:2]}}, "again"),
    "updates": (case(), {"one": {"updates": ()}}, "again"),
    "updates, no time": (
        case(),
        {"one": {"updates": (), "left_out": (LATE.format("the optimizer with 8 layers"),)}},
        "longer",
    ),
    "messages, no time": (
        case(),
        {"pair": {"messages": (), "left_out": (LATE.format("messages of 8 bytes, relay"),)}},
        "longer",
    ),
    "messages, no memory": (
        case(),
        {"pair": {"messages": (), "left_out": ("No memory was left for messages of 8 bytes.",)}},
        "measure",
    ),
    "messages": (case(), {"pair": {"messages": ()}}, "again"),
    "collectives": (case(**TENSOR), {"pair": {"collectives": ()}}, "again"),
    "collectives, no time": (
        case(**TENSOR),
        {"pair": {"collectives": (), "left_out": (LATE.format("all_reduce of 8 bytes"),)}},
        "longer",
    ),
    "a failure": (case(), {"one": FAILED}, "again"),
    "a failed pair": (case(), {"pair": FAILED}, "again"),
    "a failed pair over nodes": (case(gpus=4), {"far": FAILED, "nodes": 2}, "again"),
    "heat": (case(), {"one": {"loaded": (hot(),)}}, "again"),
    "another machine": (case(), {"pair": {"torch": "2.11.0"}}, "again"),
    "emulated": (case(), {"one": {"emulated": True}}, "again"),
}  # fmt: skip


@pytest.mark.parametrize("kind", MADE)
def test_what_was_calibrated_for_this_very_case_is_not_proposed_again(kind):
    made, lacks, remedy = MADE[kind]
    found = refusal(made, *done(made, **lacks), nodes=lacks.get("nodes", 1))
    assert found.remedy.endswith(remedy), found.why
    if remedy == "longer":
        assert f"time_limit_s={max(90, LONGER * TIME_LIMIT_S):g}" in found.line("submit.py")


UNASKED = {
    "rows": case(batch_size=777 * 8),
    "shares": case(gpus=4, **TENSOR),
    "rows of shares": case(batch_size=4096, **TENSOR),
    "fused gradients": case(gradients="fused"),
    "two nodes": case(gpus=4),
    "another model": case(dim=512),
}


@pytest.mark.parametrize("kind", UNASKED)
def test_what_was_not_asked_for_is_asked_for_by_the_command(kind):
    made, there = UNASKED[kind], done(case())
    found = refusal(made, *there, nodes=2 if kind == "two nodes" else 1)
    assert found.remedy == "calibrate", found.why
    new = {each.case_id for each in asked_for(made)} | {each.case_id for each in asked_for(made, 2)}
    assert new - {result.case_id for result in there}


def test_a_newer_calibration_for_another_grid_hides_nothing_of_an_older_one():
    made = case(**TENSOR)
    newer = [
        calibration(batch_size=4096, layers=layers(shares=2), **LATER),
        calibration(2, batch_size=4096, collectives=(), **LATER),
    ]
    assert isinstance(predicted(made, *done(made), *newer), Prediction)


def test_a_share_is_refused_by_the_rows_that_it_lacks():
    why = refusal(case(batch_size=4096, **TENSOR), *done(case())).why
    assert "split over 2 GPUs were not calibrated with 4096 rows (calibrated: 8192)" in why
