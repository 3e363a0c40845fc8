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
from study.case import Case
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
    assert said.endswith("1 case could not be compared: how long launching takes is not known.")
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


def test_seeds_that_are_extrapolated_are_one_case():
    seeds = candidates(case(seed=1), case(seed=2))
    _, (said,) = advise(
        [replaced(e, labels=("extrapolated: 4 GPUs, seen 2",)) for e in seeds], "time"
    )
    assert said.endswith("It is extrapolated: 4 GPUs, seen 2.")
    _, (said,) = advise([replaced(each, labels=("extrapolated: x",)) for each in seeds], "memory")
    assert "extrapolated" not in said


def own(**arguments):
    """A case of a model of one's own with these arguments."""
    return Case(
        depth=8, gpus=2, kind="factory", factory="models/mine.py:build", sha256="0" * 64,
        args=tuple(sorted(arguments.items())),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("one", "other", "words"),
    [
        ({}, {"p": 0.5}, ("args.p not given", "args.p 0.5")),
        ({"p": 1}, {"p": True}, ("args.p 1", "args.p true")),
        ({"width": 48}, {"heads": 48}, ("args.heads not given, args.width 48",
                                        "args.heads 48, args.width not given")),
    ],
)  # fmt: skip
def test_models_of_ones_own_with_other_arguments_are_other_work(one, other, words):
    _, said = advise(candidates(own(**one), own(**other)), "time")
    assert tuple(text.partition(": for the shortest step")[0] for text in said) == words


def test_long_arguments_that_differ_in_the_middle_are_other_work():
    texts = ["x" * 40 + middle + "y" * 40 for middle in "ab"]
    _, said = advise(candidates(*(own(note=text) for text in texts)), "time")
    assert len(said) == 2


def test_a_case_that_no_machine_can_run_is_never_the_best():
    one, other = candidates(case(), case(schedule="1f1b"))
    chosen, (said,) = advise([replaced(one, "cannot run"), other], "memory")
    assert chosen == [other]
    assert said.endswith("1 case cannot run here.")


def test_launch_bound_cases_that_may_need_less_are_named():
    best, other = candidates(case(), case(schedule="1f1b"))
    quick = replaced(other, high_s=None, step_s=MADE.step_s / 2)
    said = advise([best, quick], "time")[1][0]
    assert "in the calibration, 1 launch-bound case would need less, the least 1F1B with" in said
    slow = replaced(other, high_s=None, step_s=MADE.step_s * 2)
    assert "would need less" not in advise([best, slow], "time")[1][0]


def test_each_extrapolated_case_among_the_best_is_named():
    two, four = candidates(case(), case(gpus=4))
    further = replaced(four, labels=("extrapolated: 4 GPUs, seen 2",))
    _, (said,) = advise([two, further], "time")
    assert said.endswith("GPipe with 8 micro-batches on 4 GPUs is extrapolated: 4 GPUs, seen 2.")


def test_nothing_follows_from_the_step_of_one_gpu_that_is_launch_bound(monkeypatch):
    assert MADE.one_gpu_s is not None
    monkeypatch.setattr(Step, "is_launch_bound", property(lambda step: True))
    assert predictor().of(case()).one_gpu_s is None
