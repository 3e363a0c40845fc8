"""Task 5: calls and moves, and how they grow with the GPU count."""

import msgspec
import pytest

from report.answers import transfers
from report.data.measured import measured
from tests.report.made_up import measuring, moving, result
from tests.report.made_up_pipeline import scheduled
from tests.report.shown import answer_of, cells, only_section

LAW = "Linearly: with N GPUs, data moves N − 1 times forward and N − 1 times backward"


def copying(given, **changes):
    """The result, with other rates of copies."""
    copies = [msgspec.structs.replace(copy, **changes) for copy in given.ceilings.copies]
    ceilings = msgspec.structs.replace(given.ceilings, copies=copies)
    return msgspec.structs.replace(given, ceilings=ceilings)


def test_the_table_counts_calls_moves_and_bytes(tmp_path):
    answer_of(tmp_path, "task5", result(gpus=2), result(gpus=5))
    rows = cells(only_section(tmp_path, "task5"))
    assert [row["`.to` calls per forward"] for row in rows] == ["20", "20"]
    assert [row["moves forward"] for row in rows] == ["1", "4"]
    assert [row["moves backward"] for row in rows] == ["1", "4"]


def test_calls_and_moves_have_the_form_that_is_asked_for(tmp_path):
    answer = answer_of(tmp_path, "task5", result(gpus=2), result(gpus=5))
    assert answer.startswith(
        "20 calls in one forward pass, one before each layer. Calls that move data: 2 GPUs: 1, "
        "5 GPUs: 4. The others find the data in place and copy nothing."
    )


def test_moves_that_follow_the_number_of_borders_grow_linearly(tmp_path):
    answer = answer_of(tmp_path, "task5", result(gpus=2), result(gpus=5))
    assert f"{LAW}, once each way for every border between two GPUs." in answer
    assert "2 GPUs: 1 + 1, 2 MiB, 5 GPUs: 4 + 4, 8 MiB." in answer


def test_copies_have_a_time_and_a_share_of_the_step(tmp_path):
    answer = answer_of(tmp_path, "task5", result(gpus=2, step_s=0.06), result(gpus=5, step_s=0.06))
    assert (
        "In time, all copies of a step take 10 ms on 2 GPUs (5 ms a move, 17 % of the step) and "
        "10 ms on 5 GPUs (1.25 ms a move, 17 % of the step)."
    ) in answer


@pytest.mark.parametrize(
    ("message_s", "sentence"),
    [
        (5.2e-6, "and one of a single element takes as long: latency sets the cost of a move"),
        (9e-6, "one of a single element 5 µs: the size of the data counts, too."),
    ],
)
def test_latency_and_bandwidth_are_told_apart(tmp_path, message_s, sentence):
    both = [copying(result(gpus=gpus), message_s=message_s) for gpus in (2, 5)]
    assert sentence in answer_of(tmp_path, "task5", *both).replace("5.00 µs", "5 µs")


def test_times_of_emulated_copies_are_not_given(tmp_path):
    given = result(gpus=2), result(gpus=5, emulated=True)
    answer = answer_of(tmp_path, "task5", *given)
    assert LAW in answer
    assert "on 5 GPUs (" not in answer
    assert "5 GPUs were emulated: their calls and moves are real, but the times" in answer


def test_steps_that_instruments_changed_much_give_no_time_of_copies(tmp_path):
    given = result(gpus=2)
    slow = msgspec.structs.replace(given.measurement.breakdown, step_times_s=[0.3] * 3)
    answer = answer_of(tmp_path, "task5", measuring(given, breakdown=slow))
    assert "In time" not in answer


def test_moves_that_follow_another_law_are_said_not_to(tmp_path):
    many = moving(result(gpus=5), moves_forward=19)
    answer = answer_of(tmp_path, "task5", result(gpus=2), many)
    assert "2 GPUs: 1, 5 GPUs: 19." in answer
    assert "Not by the rule of one move for every border between two GPUs each way" in answer
    assert LAW not in answer


def test_moves_that_do_not_come_back_are_no_move_each_way(tmp_path):
    both = [moving(result(gpus=gpus), moves_backward=0) for gpus in (2, 5)]
    answer = answer_of(tmp_path, "task5", *both)
    assert "2 GPUs: 1 + 0" in answer
    assert LAW not in answer


def test_one_gpu_count_tells_nothing_of_growth(tmp_path):
    answer = answer_of(tmp_path, "task5", result(gpus=5))
    assert "Calls that move data: 5 GPUs: 4." in answer
    assert "cannot be told from these results: it takes two values of gpus" in answer


def test_a_gpu_count_that_nobody_measured_has_what_the_rule_says(tmp_path):
    answer = answer_of(tmp_path, "task5", result(gpus=2))
    assert (
        "The homework asks for 5 GPUs, too; only 2 were measured. By the rule that layer i"
        in answer
    )
    assert "data moves 4 times each way." in answer


def test_emulated_moves_are_counted_like_real_ones(tmp_path):
    both = [result(gpus=gpus, gpu_name=None) for gpus in (2, 5)]
    assert LAW in answer_of(tmp_path, "task5", *both)


def test_the_fold_of_a_v_moves_nothing():
    both = [measured(scheduled("zbv", gpus=gpus)) for gpus in (2, 5)]
    growth = " ".join(transfers.answer(both)[1].sentences)
    assert growth.startswith(
        "By one move each way for every border between two GPUs and every micro-batch; the stages "
        "form a V, and at its fold, within the last GPU, nothing moves."
    )
    assert "5 GPUs: 80 + 80" in growth


def test_the_headline_has_the_law_and_its_cost():
    (line,) = transfers.headlines([measured(result(gpus=gpus)) for gpus in (2, 5)])
    assert line.startswith("Communication grows linearly: N GPUs move data N − 1 times forward")
    assert "N − 1 times backward. In time, all copies of a step take" in line
