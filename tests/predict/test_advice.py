"""Which cases to ask for, in sentences that name them apart and say what is not sure."""

import msgspec
import pytest

from predict.forecast.advice import advise
from predict.forecast.best import Candidate
from predict.forecast.intervals import Residuals
from predict.forecast.matching import Known
from predict.forecast.names import how_settings, work_settings
from predict.forecast.predict import Predictor
from predict.memory.fit import Layers
from predict.steps.step import Step
from tests.predict.made_up_calibration import calibration, case


def predictor(**changes) -> Predictor:
    known = Known((calibration(**changes), calibration(2, **changes)))
    return Predictor(known, Residuals(), lambda case: 1, lambda case: Layers(), "0" * 40)


MADE = predictor().of(case())


def candidates(*cases, **changes) -> list[Candidate]:
    """The cases, each with a prediction of the same step."""
    made, fit = msgspec.structs.replace(MADE, **changes), None
    work, how = work_settings(cases), how_settings(cases)
    return [Candidate(each, made, fit, work[each], how[each]) for each in cases]


def replaced(candidate: Candidate, fit: str | None = None, **changes) -> Candidate:
    """The same case with another prediction."""
    found = msgspec.structs.replace(candidate.prediction, **changes)
    return Candidate(candidate.case, found, fit, candidate.work, candidate.how)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"recompute": "layers"}, "GPipe with 8 micro-batches on 2 GPUs (recompute layers)"),
        ({"balance": "time"}, "GPipe with 8 micro-batches on 2 GPUs (balance time)"),
        ({"batch_size": 4096}, "GPipe with 8 micro-batches on 2 GPUs (batch_size 4096)"),
        ({"depth": 9}, "GPipe with 8 micro-batches on 2 GPUs (depth 9)"),
        ({"dtype": "float32"}, "GPipe with 8 micro-batches on 2 GPUs (dtype float32)"),
    ],
)
def test_cases_have_the_settings_in_their_names_in_which_they_differ(changes, words):
    one, other = candidates(case(), case(**changes))
    assert other.full_words == words
    assert one.full_words != words


def test_settings_that_only_some_schedules_have_are_named_where_these_differ():
    of_two = candidates(case(), case(schedule="interleaved_1f1b", chunks_per_gpu=2))
    assert all("chunks" not in each.words for each in of_two)
    three = [case(schedule="interleaved_1f1b", chunks_per_gpu=chunks) for chunks in (2, 4)]
    named = [each.words for each in candidates(case(), *three)]
    assert [words.partition(" (")[2] for words in named] == [
        "", "chunks_per_gpu 2)", "chunks_per_gpu 4)",
    ]  # fmt: skip


def test_steps_of_other_work_are_not_compared_but_have_a_sentence_each():
    small, large = candidates(case(batch_size=4096), case())
    chosen, said = advise([replaced(small, step_s=0.01, low_s=0.01, high_s=0.01), large], "time")
    assert [each.case.batch_size for each in chosen] == [4096, 8192]
    assert [text.partition(": for the shortest step")[0] for text in said] == [
        "batch_size 4096", "batch_size 8192",
    ]  # fmt: skip
    assert "told apart" not in "".join(said)


def test_seeds_of_one_case_are_named_once():
    _, (said,) = advise(candidates(case(seed=0), case(seed=1)), "time")
    assert said.startswith("For the shortest step ask for GPipe with 8 micro-batches on 2 GPUs: ")
    assert "told apart" not in said


def test_a_case_of_unknown_launching_is_not_the_best_beside_others():
    known, other = candidates(case(), case(schedule="1f1b"))
    unknown = replaced(other, host_share=None, step_s=MADE.step_s / 2, low_s=0.0, high_s=0.01)
    chosen, (said,) = advise([known, unknown], "time")
    assert chosen == [known]
    assert said.endswith("1 case with launching of unknown length could not be compared.")
    bound = replaced(known, high_s=None)
    assert advise([bound, unknown], "time")[0] == []


def test_where_launching_is_unknown_of_all_the_sentence_says_so():
    _, (said,) = advise(candidates(case(), host_share=None), "gpu-hours")
    assert said.endswith("It may take longer: how long launching takes is not known.")
    assert "launching" not in advise(candidates(case(), host_share=None), "memory")[1][0]


def test_unknown_launching_is_a_label_of_the_prediction():
    found = predictor(host=()).of(case())
    assert found.host_share is None
    assert any(label.startswith("how long launching takes") for label in found.labels)
    assert not any("launching" in label for label in predictor().of(case()).labels)


@pytest.mark.parametrize(
    ("fits", "words"),
    [
        (("may not fit", "fits"), " GPipe with 8 micro-batches on 2 GPUs may not fit."),
        (("may not fit", "may not fit"), " Both may not fit."),
        (("fits", "fits"), ""),
    ],
)
def test_what_may_not_fit_is_named_with_that_caution(fits, words):
    both = candidates(case(), case(schedule="1f1b"))
    some = [replaced(each, fit) for each, fit in zip(both, fits, strict=True)]
    _, (said,) = advise(some, "time")
    assert said.partition("told apart by prediction.")[2] == words


def test_each_extrapolated_case_among_the_best_is_named():
    two, four = candidates(case(), case(gpus=4))
    further = replaced(four, labels=("extrapolated: 4 GPUs, seen 2",))
    _, (said,) = advise([two, further], "time")
    assert said.endswith("GPipe with 8 micro-batches on 4 GPUs is extrapolated: 4 GPUs, seen 2.")


def test_nothing_follows_from_the_step_of_one_gpu_that_is_launch_bound(monkeypatch):
    assert MADE.one_gpu_s is not None
    monkeypatch.setattr(Step, "is_launch_bound", property(lambda step: True))
    assert predictor().of(case()).one_gpu_s is None
