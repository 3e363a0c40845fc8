"""The figures that predictions are held to, of pairs whose errors are known."""

from dataclasses import replace
from types import SimpleNamespace

import msgspec
import pytest

from benchmarks import prediction_errors
from benchmarks.again import LABEL, pairs_again
from benchmarks.prediction_errors import is_steady, of_bubbles, of_peaks
from benchmarks.predictions import _figures, main
from predict.forecast.accuracy import spread_of
from predict.forecast.pairs import Pair
from report.data.load import ProfileResults
from report.tables.details.predictions import _summary
from study.storage.ledger import Submission
from study.storage.prediction import Prediction
from study.storage.store import Store
from tests.predict.made_up_calibration import calibration, case
from tests.report.made_up import MIB, result

PEAKS = [100 * MIB, 200 * MIB]


def pair(step_s, error, group="one stage", schedule="gpipe", peaks=(1.0, 1.0), **changes) -> Pair:
    """A prediction that is off by so much, of a pipeline on two GPUs."""
    made = result("task4", gpus=2, schedule=schedule, micro_batches=4, step_s=step_s, peaks=PEAKS)
    steps = [step_s] * 41
    known = msgspec.structs.replace(
        made.measurement, step_times_s=steps, median_ci_s=(0.99 * step_s, 1.01 * step_s)
    )
    found = Prediction(
        step_s=step_s * (1 + error),
        low_s=step_s * (1 + error) * 0.98,
        high_s=step_s * (1 + error) * 1.02,
        group=group,
        host_share=0.1,
        peak_bytes=tuple(round(size * off) for size, off in zip(PEAKS, peaks, strict=True)),
    )
    found = msgspec.structs.replace(found, **changes)
    return Pair(made.case, found, msgspec.structs.replace(made, measurement=known))


def figures(*pairs) -> dict[str, str]:
    lines = (line.partition(": ") for line in _figures(list(pairs)))
    return {name: said for name, _, said in lines}


def test_errors_are_told_by_mean_nine_in_ten_and_largest():
    spread = spread_of([0.01 * n * (-1) ** n for n in range(1, 11)])
    assert (spread.count, spread.mean) == (10, pytest.approx(0.055))
    assert (spread.p90, spread.largest) == (pytest.approx(0.09), pytest.approx(0.1))
    assert spread_of([]) is None


def test_each_kind_of_schedule_has_its_line_and_its_target():
    found = figures(
        pair(0.1, 0.01),
        pair(0.2, -0.03, schedule="1f1b"),
        pair(0.3, 0.05, "runtime", schedule="zbv"),
        pair(0.4, 0.5, high_s=None, schedule="zero_bubble"),
    )
    assert found["step, steady cases"].startswith("3.00 / 5.00 / 5.00 (mean")
    assert found["step, one stage"].startswith("2.00 / 3.00 / 3.00 (mean")
    assert found["step, runtime"].startswith("5.00 / 5.00 / 5.00")
    assert found["step, naive"] == "none"
    assert found["in the 90 % interval"].startswith("33 % of 3 ")
    assert found["launch-bound, given as a bound"] == "1, kept 0"


def test_a_choice_by_prediction_is_held_against_the_best_measured():
    wrong = figures(pair(0.1, 0.5), pair(0.11, 0.0, schedule="1f1b"))
    assert wrong["chosen case against the best measured"].startswith("10.00 / 10.00 / 10.00")
    assert wrong["orders inverted that the test calls different"].startswith("1 of 1 ")
    right = figures(pair(0.1, 0.0), pair(0.11, 0.0, schedule="1f1b"))
    assert right["chosen case against the best measured"].startswith("0.00 ")
    assert right["orders inverted that the test calls different"].startswith("0 of 1 ")


def test_cases_that_have_run_can_be_predicted_again_and_the_ledger_stays_as_it_is(tmp_path):
    made, one = case(gpus=1, schedule="naive", micro_batches=1), calibration()
    measured = msgspec.structs.replace(
        result("task4", step_s=0.2), case=made, case_id=made.case_id, job=one.job
    )
    before = Prediction(step_s=0.3, low_s=0.29, high_s=0.31, group="naive", host_share=0.1)
    submitted = Submission(
        case=made, case_id=made.case_id, grid="g", overrides={}, executor="local", job_id="1",
        job_name="n", log="1.log", requested_gpus=1, timeout_min=None, prediction=before,
        submitted_at=one.job.submitted_at or "",
    )  # fmt: skip
    measured = msgspec.structs.replace(
        measured, job=msgspec.structs.replace(one.job, submitted_at=submitted.submitted_at)
    )
    folder = ProfileResults(
        Store(tmp_path, "local"), {made: measured}, submissions=[submitted],
        calibrations={one.case: one},
    )  # fmt: skip
    (again,) = pairs_again(folder)
    assert again.prediction.step_s == pytest.approx(0.1864)
    assert LABEL in again.prediction.labels
    assert folder.pairs[made].prediction == before
    assert pairs_again(replace(folder, calibrations={})) == []


def test_peaks_are_compared_gpu_by_gpu_and_those_too_low_are_counted():
    found = pair(0.1, 0.0, peaks=(1.01, 0.98))
    assert of_peaks([found]) == [pytest.approx(0.01), pytest.approx(-0.02)]
    assert figures(found)["more than 1 % too low, cut as predicted"].startswith("1 ")


def test_bubbles_of_a_graph_are_those_of_eager_steps_and_are_not_compared(monkeypatch):
    seen = [SimpleNamespace(measured=share) for share in (0.2, 0.3)]
    monkeypatch.setattr(prediction_errors, "bubbles", lambda result: seen)
    eager = pair(0.1, 0.0, bubbles=(0.25, 0.25))
    graph = msgspec.structs.replace(eager.case, execution="cuda_graph")
    assert of_bubbles([eager]) == [pytest.approx(0.05), pytest.approx(-0.05)]
    assert of_bubbles([Pair(graph, eager.prediction, eager.result)]) == []


def test_peaks_of_another_cut_than_the_predicted_are_told_apart():
    def cut(layers_per_stage):
        made = pair(0.1, 0.0, layers_per_stage=layers_per_stage)
        case = msgspec.structs.replace(made.case, balance="time")
        return Pair(case, made.prediction, msgspec.structs.replace(made.result, case=case))

    counts = tuple(pair(0.1, 0.0).result.placement.layers_per_gpu)
    other = (counts[0] + 1, counts[1] - 1)
    found = figures(cut(counts), cut(other), cut(other), cut(()))
    assert "largest of 2;" in found["peak of each GPU, cut as predicted"]
    assert "largest of 4;" in found["peak of each GPU, cut otherwise"]
    assert "largest of 2;" in found["peak of each GPU, by time, predicted cut not noted"]
    assert "peak of each GPU, cut otherwise" not in figures(cut(counts))


def test_a_median_that_is_not_known_well_enough_judges_no_prediction():
    found = pair(0.1, 0.0)
    assert is_steady(found)
    wide = msgspec.structs.replace(found.result.measurement, median_ci_s=(0.09, 0.11))
    loose = Pair(
        found.case, found.prediction, msgspec.structs.replace(found.result, measurement=wide)
    )
    assert not is_steady(loose)
    assert figures(loose)["step, steady cases"] == "none"
    assert figures(loose)["step, all cases"].startswith("0.00")


def test_lines_below_the_table_count_other_machines_and_cases_without_a_prediction():
    away = pair(0.1, 0.0)
    pairs = [
        pair(0.1, 0.01),
        pair(0.1, -0.5, high_s=None),
        Pair(away.case, away.prediction, away.result, "torch (a and b)"),
    ]
    assert _summary(pairs, {"no calibration": 2}) == [
        "Error of 1 predicted step: 1.0 %. Measured within the 90 % interval: 1 of 1.",
        "1 step is launch-bound and has only a lower bound (at least). Measured no faster than "
        "that: 1 of 1.",
        "1 not counted: calibrated and measured differ in torch (a and b).",
        "2 without a prediction: no calibration.",
    ]


def test_a_folder_without_predictions_says_so(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["predictions.py", str(tmp_path)])
    assert main() == 1
    assert "no case was predicted before it ran" in capsys.readouterr().err
