"""Task 4: memory of every GPU, and whether more GPUs are faster; the answer follows the numbers."""

import msgspec
import pytest

from report.answers import memory
from report.answers.memory import _adding_gpus
from report.data.measured import measured
from tests.report.made_up import MIB, failed, measuring, result
from tests.report.shown import answer_of, cells, only_section


def test_the_table_shows_step_time_and_memory_of_every_gpu(tmp_path):
    five = result(gpus=5, step_s=0.2, peaks=[100 * MIB, 2048 * MIB, MIB, 512 * 1024, 7])
    answer_of(tmp_path, "task4", result(gpus=2), five)
    two, row = cells(only_section(tmp_path))
    assert row["step time (95 % CI)"].startswith("200 ms (19")
    assert row["steps"] == "41"
    assert row["memory of GPU 0"] == "100 MiB / 200 MiB"
    assert row["memory of GPU 1"] == "2 GiB / 4 GiB"
    assert row["memory of GPU 3"] == "512 KiB / 1 MiB"
    assert row["memory of GPU 4"] == "7 B / 14 B"
    assert two["memory of GPU 2"] == "–"


@pytest.mark.parametrize(
    ("five_s", "verdict", "wait"),
    [
        (0.04, "faster: 5 GPUs are 2.50 times as fast as 2 GPUs (95 % CI 2.4", False),
        (0.09, "faster: 5 GPUs take 10.0 % less time than 2 GPUs (95 % CI ", True),
        (0.1001, "no difference: no detectable difference between 2 GPUs and 5 GPUs (", True),
        (0.25, "slower: 5 GPUs take 2.50 times as long as 2 GPUs (95 % CI 2.4", True),
    ],
)
def test_the_verdict_on_adding_gpus_follows_the_step_times(tmp_path, five_s, verdict, wait):
    answer = answer_of(tmp_path, "task4", result(gpus=2), result(gpus=5, step_s=five_s))
    assert f"Adding GPUs makes training {verdict}" in answer or f"GPUs makes {verdict}" in answer
    assert "In proportion to the GPU count a step would take 0.4 times as long" in answer
    assert ("mostly wait for the others" in answer) is wait


def test_noise_that_could_hide_a_difference_leaves_the_verdict_open(tmp_path):
    noisy = [[0.1, 0.14, 0.07, 0.12, 0.09, 0.13, 0.08, 0.11] * n for n in (1, 2)]
    both = [result(gpus=g, steps_s=steps) for g, steps in zip((2, 5), noisy, strict=True)]
    answer = answer_of(tmp_path, "task4", *both)
    assert "Whether adding GPUs makes training faster cannot be told" in answer
    assert "2 GPUs and 5 GPUs cannot be told apart by one job each (95 % CI −" in answer
    assert "wait for the others" not in answer


def test_each_gpu_has_its_share_of_the_step_in_the_answer(tmp_path):
    answer = answer_of(tmp_path, "task4", result(gpus=2), result(gpus=5))
    shares = ", ".join(f"GPU {gpu} 13.3 %" for gpu in range(5))
    assert f"On 5 GPUs, the share of a step in which each computes is {shares}" in answer
    assert "on average 0.667 of 5 compute at a time, so they are not all utilised" in answer


def test_without_marks_the_use_of_the_gpus_cannot_be_told(tmp_path):
    given = [measuring(result(gpus=gpus), breakdown=None) for gpus in (2, 5)]
    answer = answer_of(tmp_path, "task4", *given)
    assert answer.count("Whether all GPUs are utilised on ") == 1
    assert "on 2 GPUs and 5 GPUs cannot be told from these results: no step had marks." in answer


def test_all_gpus_hold_layers_and_so_much_memory(tmp_path):
    five = result(gpus=5, peaks=[100 * MIB, 200 * MIB, 300 * MIB, 150 * MIB, 160 * MIB])
    answer = answer_of(tmp_path, "task4", result(gpus=2), five)
    assert (
        "All GPUs hold layers: 4, 4, 4, 4, 4 on 5 GPUs, with a peak memory of 100 MiB, 200 MiB"
        in answer
    )


def test_a_gpu_without_a_layer_is_no_utilised_one(tmp_path):
    lazy = result(gpus=5, gpu_of_layer=[i // 5 for i in range(20)])
    answer = answer_of(tmp_path, "task4", result(gpus=2), lazy)
    assert f"Not every GPU holds layers in {lazy.case_id}." in answer
    assert "All GPUs hold layers" not in answer


def test_emulated_gpus_cannot_tell_whether_more_are_faster(tmp_path):
    both = [result(gpus=gpus, step_s=1 / gpus, gpu_name=None) for gpus in (2, 5)]
    answer = answer_of(tmp_path, "task4", *both)
    assert "cannot be told from these results for 2 and 5 GPUs: the emulated GPUs share" in answer
    assert "Adding GPUs makes" not in answer


def test_what_cannot_be_told_of_several_gpu_counts_is_said_once(tmp_path):
    three = [result("task3", gpus=gpus, gpu_name=None) for gpus in (1, 2, 4)]
    found = _adding_gpus([measured(r) for r in three])
    assert found == [
        "Whether adding GPUs makes training faster cannot be told from these results for "
        "1 and 2 GPUs, 1 and 4 GPUs: the emulated GPUs share the CPU."
    ]


def test_what_cannot_be_told_of_several_depths_names_them_all():
    points = [(depth, gpus) for depth in (10, 20) for gpus in (1, 2)]
    few = [result(depth=depth, gpus=gpus, gpu_name=None) for depth, gpus in points]
    (found,) = _adding_gpus([measured(r) for r in few])
    assert "cannot be told from these results for 1 and 2 GPUs (depth 10; depth 20): the" in found


def test_sentences_on_emulated_gpus_say_that_they_are(tmp_path):
    both = [result("task3", gpus=gpus, gpu_name=None) for gpus in (1, 5)]
    found = memory.answer([measured(r) for r in both])
    assert found[0] == "All GPUs hold layers: 4, 4, 4, 4, 4 on 5 GPUs (emulated on the CPU)."
    assert found[1].startswith("On 1 GPU (emulated on the CPU), the share of a step in which")
    assert found[2].startswith("On 5 GPUs (emulated on the CPU), the share of a step in which")


def test_logical_gpus_on_one_gpu_are_said_to_share_it(tmp_path):
    both = [result(gpus=gpus, step_s=1 / gpus, emulated=True) for gpus in (2, 5)]
    assert "the emulated GPUs share one GPU." in answer_of(tmp_path, "task4", *both)


def test_gpu_counts_measured_on_different_gpus_are_not_compared(tmp_path):
    other = result(gpus=5, step_s=0.01, gpu_name="NVIDIA H100")
    answer = answer_of(tmp_path, "task4", result(gpus=2), other)
    assert "on different hardware (NVIDIA A100; NVIDIA H100)" in answer
    assert "Adding GPUs makes" not in answer


@pytest.mark.parametrize("more", [[], [failed(gpus=5)]])
def test_one_gpu_count_tells_nothing_of_adding_gpus(tmp_path, more):
    answer = answer_of(tmp_path, "task4", result(gpus=2), *more)
    assert "cannot be told from these results: it takes two values of gpus" in answer
    assert "Missing from this answer: 1 of 2 cases." in answer


def test_without_any_measurement_there_is_no_answer(tmp_path):
    answer = answer_of(tmp_path, "task4", failed(gpus=2), failed(gpus=5))
    assert answer.endswith("cannot be told from these results: no case has been measured.")


def test_every_gpu_count_is_held_against_the_least(tmp_path):
    few = [result("task3", gpus=gpus, step_s=s) for gpus, s in ((1, 0.1), (2, 0.05), (4, 0.1))]
    found = _adding_gpus([measured(r) for r in few])
    assert [answer.split(":")[0] for answer in found] == [
        "Adding GPUs makes training faster",
        "Adding GPUs makes no difference",
    ]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"variables": {"CUDA_LAUNCH_BLOCKING": "1"}}, "with different variables"),
        ({"tf32": True}, "with and without TF32"),
        ({"cpu": "Xeon"}, "beside different CPUs (EPYC; Xeon)"),
        ({"driver": "1.0"}, "with different drivers (1.0; 550.1)"),
        ({"torch": "1.0"}, "with different versions of torch (1.0; 2.11.0)"),
    ],
)
def test_what_was_measured_otherwise_is_not_compared(tmp_path, changes, reason):
    other = result(gpus=5)
    environment = msgspec.structs.replace(other.environment, **changes)
    other = msgspec.structs.replace(other, environment=environment)
    answer = answer_of(tmp_path, "task4", result(gpus=2), other)
    assert f"they were measured {reason}" in answer
    assert "Adding GPUs makes" not in answer


def test_which_gpus_a_job_sees_is_no_difference(tmp_path):
    both = [result(gpus=gpus) for gpus in (2, 5)]
    seen = [{"CUDA_VISIBLE_DEVICES": ids} for ids in ("0,1", "0,1,2,3,4")]
    both = [
        msgspec.structs.replace(r, environment=msgspec.structs.replace(r.environment, variables=v))
        for r, v in zip(both, seen, strict=True)
    ]
    assert "Adding GPUs makes no difference" in answer_of(tmp_path, "task4", *both)
