"""How certain a prediction is, and which cases are named as the best."""

from dataclasses import replace

import msgspec
import pytest

from predict.forecast.advice import sentence
from predict.forecast.best import Candidate, choose
from predict.forecast.intervals import DEFAULTS, Residuals
from predict.forecast.matching import Known
from predict.forecast.pairs import Pair, pairs_of
from predict.forecast.predict import Predictor
from predict.forecast.row import TITLES, notes_of, row_of
from predict.forecast.words import of_each
from predict.memory.fit import Layers
from study.storage.ledger import Submission
from study.storage.prediction import Prediction
from tests.predict.made_up_calibration import MS, calibration, case
from tests.report.made_up import case as made_case
from tests.report.made_up import result, steady

NAIVE = {"schedule": "naive", "micro_batches": 1}


def predictor(pairs=(), **one) -> Predictor:
    known = Known((calibration(**one), calibration(2)))
    return Predictor(known, Residuals(pairs), lambda case: 1, lambda case: Layers(), "0" * 40)


def half(found: Prediction) -> float:
    return (found.high_s - found.low_s) / 2 / found.step_s


def pair(error: float, of=None, **changes) -> Pair:
    """A step that took so much longer than was predicted."""
    made = of or case()
    found = msgspec.structs.replace(predictor().of(made), **changes)
    measured = result(step_s=found.step_s * (1 + error), gpus=made.gpus)
    steps = steady(found.step_s * (1 + error))
    measurement = msgspec.structs.replace(measured.measurement, step_times_s=steps)
    return Pair(made, found, msgspec.structs.replace(measured, measurement=measurement))


@pytest.mark.parametrize(
    ("changes", "group"),
    [
        ({}, "one stage"),
        ({"schedule": "1f1b"}, "one stage"),
        ({"schedule": "zbv"}, "runtime"),
        (NAIVE, "naive"),
        (NAIVE | {"schedule": "tensor"}, "together"),
        (NAIVE | {"schedule": "ddp"}, "together"),
    ],
)
def test_an_interval_is_as_wide_as_its_kind_of_schedule_was_off(changes, group):
    found = predictor().of(case(**changes))
    assert found.group == group
    assert half(found) == pytest.approx(DEFAULTS[group], rel=0.01)


def test_the_spread_of_the_calibration_widens_the_interval():
    wide = tuple(
        msgspec.structs.replace(t, low_s=0.9 * t.seconds, high_s=1.1 * t.seconds)
        for t in calibration().calibration.layers
    )
    assert half(predictor(layers=wide).of(case())) > 1.1 * DEFAULTS["one stage"]


def test_more_gpus_than_were_ever_seen_double_it_and_are_called_extrapolated():
    four = case(gpus=4)
    found = predictor().of(four)
    assert half(found) == pytest.approx(2 * DEFAULTS["one stage"], rel=0.01)
    assert found.labels == ("extrapolated: 4 GPUs, seen 2",)
    assert "extrapolated" in notes_of(found, None)
    seen = predictor([pair(0.0, four)]).of(four)
    assert half(seen) == pytest.approx(DEFAULTS["one stage"], rel=0.01)
    assert not seen.is_extrapolated
    other = predictor([pair(0.0, four)]).of(case(gpus=4, schedule="zbv"))
    assert other.is_extrapolated


def with_loss(seconds: float) -> tuple:
    """The layers of a calibration, with so many seconds of the loss each way."""
    return tuple(
        msgspec.structs.replace(t, seconds=seconds) if t.kind == 2 else t
        for t in calibration().calibration.layers
    )


def test_stages_are_cut_by_calibrated_times_and_memory_is_that_of_this_cut():
    timed = predictor(layers=with_loss(2 * MS)).of(case(balance="time"))
    assert timed.layers_per_stage == (5, 3)  # 2.1 + 4 * 3.1 ms, and 3 * 3.1 + 4
    assert timed.labels == ()
    by_hand = predictor().of(case(balance="5,3"))
    assert timed.peak_bytes == by_hand.peak_bytes
    assert timed.peak_bytes[0] > predictor().of(case()).peak_bytes[0]
    assert predictor().of(case(gpus=1, balance="time")).labels == ()


def test_cuts_that_times_cannot_tell_apart_are_said_and_memory_is_their_range():
    found = predictor(layers=with_loss(1.06 * MS)).of(case(balance="time"))
    assert found.layers_per_stage == (5, 3)  # 14.5 ms, and 4 * 3.1 + 2.12 with a layer more
    (label,) = found.labels
    assert label.startswith("cut by calibrated times")
    assert half(found) == pytest.approx(DEFAULTS["one stage"], rel=0.01)
    assert notes_of(found, "fits") == "fits, cut may differ"
    cuts = [predictor().of(case(balance=balance)).peak_bytes for balance in ("5,3", "4,4")]
    assert found.peak_bytes == cuts[0]
    assert found.peak_low_bytes == (cuts[1][0], cuts[0][1])
    assert found.peak_high_bytes == (cuts[0][0], cuts[1][1])
    assert found.fullest_bytes == max(map(max, cuts))
    assert "–" in row_of(case(), found)[TITLES.index("peak")]


def test_errors_of_ten_earlier_predictions_take_the_place_of_the_default():
    nine = [pair(0.004 * n) for n in range(9)]
    assert half(predictor(nine).of(case())) == pytest.approx(DEFAULTS["one stage"], rel=0.01)
    ten = [*nine, pair(0.07)]
    assert half(predictor(ten).of(case())) == pytest.approx(0.07, rel=0.01)
    twenty = [pair(0.001 * n) for n in range(20)]
    assert half(predictor(twenty).of(case())) == pytest.approx(0.018, rel=0.01)
    others = predictor(ten).of(case(schedule="zbv"))
    assert half(others) == pytest.approx(DEFAULTS["runtime"], rel=0.01)


def test_pairs_of_other_machines_and_bare_bounds_are_no_errors():
    away = [replace(pair(0.3), other_machine="GPU (A and B)") for _ in range(10)]
    bounds = [pair(0.3, high_s=None) for _ in range(10)]
    found = half(predictor([*away, *bounds]).of(case()))
    assert found == pytest.approx(DEFAULTS["one stage"], rel=0.01)


TO_PREDICT = (Residuals(), lambda case: 1, lambda case: Layers())


def test_a_step_that_is_launched_for_three_quarters_of_it_is_only_bounded():
    slow = tuple(
        msgspec.structs.replace(
            run,
            actions=tuple(
                msgspec.structs.replace(a, **{k: 120 * getattr(a, k) for k in TIMES})
                for a in run.actions
            ),
        )
        for run in calibration(2).calibration.host
    )
    known = Known((calibration(), calibration(2, host=slow)))
    found = Predictor(known, *TO_PREDICT).of(case())
    assert found.host_share > 0.75
    assert found.high_s is None
    quick = Predictor(Known((calibration(), calibration(2))), *TO_PREDICT).of(case())
    assert found.step_s > 2 * quick.step_s
    assert found.low_s == pytest.approx(quick.low_s, rel=0.02)  # what the GPUs take by themselves
    assert found.contains(10 * found.step_s)
    assert not found.contains(0.9 * quick.step_s)
    assert any("launching takes about" in label for label in found.labels)
    row = dict(zip(TITLES, row_of(case(), found), strict=True))
    assert row["step (90 % interval)"].startswith("at least ")
    assert row["speed-up"] == row["bubble"] == "–"
    assert row["host"].startswith("about ")
    assert "launch-bound" in notes_of(found, "fits")
    assert choose([Candidate(case(), found)], "time") == []
    assert "no case can be named" in sentence([], [Candidate(case(), found)], "time")


TIMES = ("seconds", "low_s", "high_s")


def test_a_row_has_what_a_person_who_chooses_wants_to_know():
    found = predictor().of(case())
    row = dict(zip(TITLES, row_of(case(), found), strict=True))
    one_gpu = 8 * 23 + 1.6 + 0.8
    assert found.one_gpu_s == pytest.approx(one_gpu * MS)
    assert row["speed-up"] == f"{found.one_gpu_s / found.step_s:.2f}"
    assert row["efficiency"] == "82 %"
    assert row["samples/s"] == f"{8192 / found.step_s:,.0f}"
    assert row["GPU-s a step"] == f"{2 * found.step_s:.3f}"
    assert row["bubble"] == "19 / 11 %"
    assert row["peak"].count("/") == 1
    assert row["peak"].endswith("GiB")


def test_a_step_and_its_cuda_graph_are_told_apart_in_words():
    made = {
        execution: Candidate(given, predictor().of(given)).words
        for execution in ("eager", "cuda_graph")
        for given in [case(execution=execution)]
    }
    assert made["eager"] == "GPipe with 8 micro-batches on 2 GPUs"
    assert made["cuda_graph"] == "GPipe with 8 micro-batches as a CUDA graph on 2 GPUs"


def candidates(**fits) -> list[Candidate]:
    cases = [case(schedule=name) for name in ("gpipe", "1f1b", "zero_bubble", "zbv")]
    cases.append(case(gpus=1, **NAIVE))
    made = predictor()
    return [Candidate(each, made.of(each), fits.get(each.schedule)) for each in cases]


def test_a_set_is_named_where_intervals_overlap_and_the_best_alone_where_not():
    found = choose(candidates(), "time")
    assert [each.case.schedule for each in found] == ["zbv", "zero_bubble", "1f1b", "gpipe"]
    said = sentence(found, candidates(), "time")
    assert said.startswith(
        "For the shortest step ask for ZBV with 8 micro-batches on 2 GPUs, ZB1P with 8 "
        "micro-batches on 2 GPUs, 1F1B with 8 micro-batches on 2 GPUs or GPipe with 8 "
        "micro-batches on 2 GPUs: 103 to 113 ms a step predicted (1.65 to 1.81 times as fast as "
        "1 GPU, 82 to 90 % efficiency)"
    )
    assert "These 4 cannot be told apart by prediction." in said
    two = [each for each in candidates() if each.case.schedule in ("naive", "zbv")]
    (alone,) = choose(two, "time")
    assert alone.case.schedule == "zbv"
    assert "told apart" not in sentence([alone], two, "time")


def test_fewest_gpu_hours_take_one_gpu_and_least_memory_the_leanest_order():
    (hours,) = choose(
        [c for c in candidates() if c.case.schedule in ("naive", "gpipe")], "gpu-hours"
    )
    assert hours.case.gpus == 1
    assert "GPU-hours for 1000 steps" in sentence([hours], candidates(), "gpu-hours")
    memory = choose(candidates(), "memory")
    assert {each.case.schedule for each in memory} == {"1f1b"}
    assert "GiB on the fullest GPU predicted" in sentence(memory, candidates(), "memory")


def test_what_cannot_fit_is_not_chosen_and_is_counted():
    made = candidates(zbv="cannot fit")
    found = choose(made, "time")
    assert [each.case.schedule for each in found] == ["zero_bubble", "1f1b", "gpipe"]
    assert "1 case cannot fit." in sentence(found, made, "time")


def test_a_measurement_is_held_against_the_prediction_of_its_own_job():
    own = made_case("task4")
    found = msgspec.structs.replace(predictor().of(case()), calibrations=("calibration-x@then",))
    measured = result("task4", step_s=2 * found.step_s)
    line = submission(own, found, measured.job.submitted_at)
    (made,) = pairs_of([line], {own.case_id: measured})
    assert made.error == pytest.approx(-0.5)
    assert not made.is_inside
    later = msgspec.structs.replace(line, submitted_at="2031-01-01T00:00:00.000+00:00")
    assert pairs_of([later], {own.case_id: measured}) == []
    unpredicted = msgspec.structs.replace(line, prediction=None)
    assert pairs_of([unpredicted], {own.case_id: measured}) == []


def test_a_job_on_another_machine_than_its_calibration_is_named_so():
    made = calibration()
    found = predictor().of(case())
    measured = result("task4", step_s=found.step_s)
    line = submission(measured.case, found, measured.job.submitted_at)
    known = {measured.case_id: measured, made.case_id: made}
    (pair,) = pairs_of([line], known)
    assert pair.other_machine == "GPU (NVIDIA H100 and NVIDIA A100)"


def submission(of, prediction, submitted_at):
    return Submission(
        case=of,
        case_id=of.case_id,
        grid="task4",
        overrides={},
        executor="slurm",
        job_id="17",
        job_name="mp",
        log="17.log",
        requested_gpus=of.gpus,
        timeout_min=None,
        submitted_at=submitted_at,
        prediction=prediction,
    )


def test_of_many_gpus_the_ends_are_shown_in_the_order_of_numbers():
    values = ["1,024", *["998"] * 7, "1,000"]
    assert of_each(values, "GiB") == "998 to 1,024 GiB"
