"""What would help: the sentences follow from the numbers, and say when these cannot tell."""

import msgspec
import pytest

from report.wording.units import data_size
from study.results.result import Collective
from tests.report.made_up import failed, measuring
from tests.report.made_up_pipeline import peaks, scheduled
from tests.report.shown import answer_of

ON_A_CPU = {"gpu_name": None, "threads": 1, "cores": 2}


def test_a_pipeline_that_helps_is_told_with_what_its_formula_allows(tmp_path):
    answer = answer_of(
        tmp_path,
        "pipeline",
        scheduled("naive", gpus=1, step_s=0.3),
        scheduled("naive", step_s=0.34),
        scheduled("1f1b", micro_batches=20, step_s=0.1),
    )
    assert "Beside naive: of 1 other case on 5 GPUs, 1 is faster." in answer
    assert "1F1B with 20 micro-batches is 3.40 times as fast as naive on 5 GPUs (95 % CI" in answer
    assert "; the formula allows 4.17 times." in answer
    assert (
        "The fastest on 5 GPUs is 1F1B with 20 micro-batches, with 100 ms a step; it is" in answer
    )
    assert "it is 3.00 times as fast as naive on 1 GPU" in answer


def test_a_pipeline_that_hurts_is_told(tmp_path):
    both = [scheduled("naive", step_s=0.1), scheduled("gpipe", step_s=0.2)]
    answer = answer_of(tmp_path, "pipeline", *both)
    assert "of 1 other case on 5 GPUs, 1 is slower." in answer
    assert "GPipe with 10 micro-batches takes 2.00 times as long as naive on 5 GPUs" in answer
    assert "The fastest on 5 GPUs is naive, with 100 ms a step" in answer


def test_a_pipeline_that_makes_no_difference_is_told(tmp_path):
    both = [scheduled("naive", step_s=0.1), scheduled("gpipe", step_s=0.1)]
    answer = answer_of(tmp_path, "pipeline", *both)
    assert "1 is no different." in answer
    assert "No detectable difference between naive on 5 GPUs and GPipe" in answer


def test_each_schedule_is_shown_at_its_best(tmp_path):
    answer = answer_of(
        tmp_path,
        "pipeline",
        scheduled("naive", step_s=0.3),
        scheduled("zbv", micro_batches=10, step_s=0.09),
        scheduled("zbv", micro_batches=20, step_s=0.08),
    )
    assert "of 2 other cases on 5 GPUs, 2 are faster." in answer
    assert "ZBV with 20 micro-batches is 3.75 times as fast" in answer
    assert "ZBV with 10 micro-batches is 3." not in answer


@pytest.mark.parametrize(
    ("next_s", "words"),
    [
        (0.1, "no detectable difference between ZBV with 10 micro-batches and ZB1P with 10"),
        (0.12, "ZB1P with 10 micro-batches takes 20.1 % more time than ZBV with 10 micro-batches"),
    ],
)
def test_the_next_fastest_is_held_against_the_fastest(tmp_path, next_s, words):
    both = [scheduled("zbv", step_s=0.0999), scheduled("zero_bubble", step_s=next_s)]
    answer = answer_of(tmp_path, "pipeline", scheduled("naive"), *both)
    assert f"The next: {words}" in answer


@pytest.mark.parametrize(
    ("disturbed", "most"),
    [
        ({"transfer_s": 5e-3}, "most is communication."),
        ({"stage_takes": {1: 2}}, "most is imbalance."),
        ({"launch_s": 2e-3}, "most is neither imbalance nor communication."),
    ],
    ids=["communication", "imbalance", "rest"],
)
def test_what_bounds_the_fastest_is_named(tmp_path, disturbed, most):
    answer = answer_of(tmp_path, "pipeline", scheduled("1f1b", **disturbed))
    assert "where the formula says 28.6 %: " in answer
    assert most in answer


def test_a_bubble_as_the_formula_says_is_said_to_be_so(tmp_path):
    answer = answer_of(tmp_path, "pipeline", scheduled("1f1b"))
    assert "wait for 28.6 % of a step on average, where the formula says 28.6 %: as the" in answer


def test_what_the_fastest_costs_in_memory_stands_beside_naive(tmp_path):
    naive, pipeline = (
        scheduled("naive", peaks=peaks(5, 100)),
        scheduled("gpipe", peaks=peaks(5, 250)),
    )
    answer = answer_of(tmp_path, "pipeline", naive, pipeline)
    assert "GPU 0, holds 250 MiB at its peak, 2.5 times the 100 MiB of the naive" in answer


def test_tensor_parallelism_is_told_with_what_it_reduces(tmp_path):
    both = [scheduled("naive", step_s=0.3), scheduled("tensor", step_s=0.15)]
    answer = answer_of(tmp_path, "pipeline", *both)
    assert "Tensor parallelism is 2.00 times as fast as naive on 5 GPUs" in answer
    case = both[1].case
    size = data_size(20 * case.batch_size * case.dim * 4)
    assert f"every GPU takes part in 20 all-reduces a step, of {size} in all" in answer
    assert "formula" not in answer


def test_without_naive_nothing_is_said_to_be_faster_than_it(tmp_path):
    answer = answer_of(
        tmp_path, "pipeline", failed(task="pipeline", gpus=5), scheduled("1f1b"), scheduled("zbv")
    )
    assert (
        "What is faster than naive on 5 GPUs cannot be told from these results: naive has no"
        in answer
    )
    assert (
        "The fastest on 5 GPUs, of the schedules that have a process and a GPU each, is ZBV"
        in answer
    )
    assert "Failed: depth 20 on 5 GPUs (oom_gpu)." in answer


def test_naive_alone_tells_nothing_of_what_would_help(tmp_path):
    answer = answer_of(tmp_path, "pipeline", scheduled("naive"))
    assert "What would help 5 GPUs cannot be told from these results: no other" in answer


def test_one_gpu_tells_nothing_of_what_would_help(tmp_path):
    answer = answer_of(tmp_path, "pipeline", scheduled("naive", gpus=1))
    assert "What would help cannot be told from these results: it takes 2 GPUs or more." in answer


def test_a_failed_pipeline_is_named_with_its_schedule(tmp_path):
    broken = failed(task="pipeline", gpus=5, schedule="zbv", micro_batches=20)
    answer = answer_of(tmp_path, "pipeline", scheduled("naive"), scheduled("1f1b"), broken)
    assert "Failed: depth 20 on 5 GPUs as ZBV with 20 micro-batches (oom_gpu)." in answer


def test_other_hardware_is_not_compared_and_said_to_be_left_out(tmp_path):
    results = [
        scheduled("naive"),
        scheduled("1f1b", step_s=0.1),
        scheduled("zbv", step_s=0.2, gpu_name="NVIDIA H100"),
    ]
    answer = answer_of(tmp_path, "pipeline", *results)
    assert "1F1B with 10 micro-batches is 3.0" in answer
    assert "Not compared on 5 GPUs: ZBV with 10 micro-batches; they were measured on" in answer


def test_processes_on_a_cpu_say_nothing_of_gpus(tmp_path):
    both = [scheduled(s, **ON_A_CPU) for s in ("naive", "1f1b")]
    answer = answer_of(tmp_path, "pipeline", *both)
    assert "What would help GPUs cannot be told from these results: 1 of 2 results" in answer
    assert "share the 2 cores of a CPU" in answer
    assert "as fast as naive in one process of 5 logical GPUs" in answer
    assert "The fastest on 5 CPU processes is 1F1B" in answer
    assert "formula allows" not in answer
    assert "on 5 GPUs" not in answer


def test_one_process_with_all_cores_is_not_held_against_processes_of_one_thread(tmp_path):
    naive = scheduled("naive", gpu_name=None, threads=8)
    answer = answer_of(tmp_path, "pipeline", naive, scheduled("1f1b", **ON_A_CPU))
    assert (
        "What is faster than naive on 5 CPU processes cannot be told from these results: " in answer
    )
    assert "with different numbers of threads in a process (1 thread; 8 threads)" in answer
    assert "times as fast" not in answer


def test_emulated_and_real_results_are_not_compared(tmp_path):
    both = [scheduled("naive"), scheduled("1f1b", **ON_A_CPU)]
    answer = answer_of(tmp_path, "pipeline", *both)
    assert "some results are emulated and some are not" in answer
    assert "times as fast" not in answer


def test_threads_of_the_host_do_not_keep_gpus_from_being_compared(tmp_path):
    both = [scheduled("naive", threads=8), scheduled("1f1b", threads=1)]
    assert "times as fast as naive on 5 GPUs" in answer_of(tmp_path, "pipeline", *both)


def test_how_long_tensor_parallelism_waits_is_told_where_it_was_seen(tmp_path):
    naive, tensor = scheduled("naive", gpus=2), scheduled("tensor", gpus=2, together_s=0.05)
    answer = answer_of(tmp_path, "pipeline", naive, tensor)
    assert "every GPU takes part in 20 all-reduces a step, of " in answer
    assert "in all, and waits for them 40.0 % of a step." in answer


def test_a_case_of_too_few_steps_keeps_nobody_from_being_compared(tmp_path):
    quick = scheduled("gpipe", micro_batches=10, step_s=0.05)
    quick = measuring(quick, step_times_s=[0.05] * 3, median_ci_s=None)
    naive, other = scheduled("naive", step_s=0.3), scheduled("1f1b", step_s=0.1)
    answer = answer_of(tmp_path, "pipeline", naive, other, quick)
    assert "of 1 other case on 5 GPUs, 1 is faster." in answer
    assert (
        "Not compared on 5 GPUs: GPipe with 10 micro-batches; "
        "there are too few timed steps or jobs for a confidence interval."
    ) in answer


def test_why_gpus_wait_says_little_where_marks_disturb(tmp_path):
    made = scheduled("1f1b", transfer_s=0.002)
    steps = [0.4 * s for s in made.measurement.step_times_s]
    quick = measuring(made, step_times_s=steps, median_ci_s=None)
    words = "These shares say little: with marks, a step took +150"
    answer = answer_of(tmp_path, "pipeline", scheduled("naive"), quick)
    assert words in answer[answer.index("The fastest") :]
    answer = answer_of(tmp_path, "pipeline", scheduled("naive"), made)
    assert words not in answer[answer.index("The fastest") :]


def test_how_long_tensor_parallelism_waits_says_little_where_marks_disturb(tmp_path):
    made = scheduled("tensor", gpus=2, together_s=0.05, step_s=0.25)
    steps = [0.4 * s for s in made.measurement.step_times_s]
    quick = measuring(made, step_times_s=steps, median_ci_s=None)
    answer = answer_of(tmp_path, "pipeline", scheduled("naive", gpus=2), quick)
    assert "for them 40.0 % of a step. These shares say little: with marks, a step took" in answer


def test_what_all_gpus_do_together_has_its_names(tmp_path):
    made = scheduled("tensor", gpus=2, together_s=0.05)
    gathered = Collective(operation="all_gather_into_tensor", phase="forward", calls=1, bytes=2**20)
    together = (*made.transfers.collectives, gathered)
    transfers = msgspec.structs.replace(made.transfers, collectives=together)
    made = msgspec.structs.replace(made, transfers=transfers)
    answer = answer_of(tmp_path, "pipeline", scheduled("naive", gpus=2), made)
    assert "every GPU takes part in 20 all-reduces and 1 all-gather a step, of " in answer


def test_the_naive_schedule_in_one_process_has_no_processes(tmp_path):
    slow = scheduled("gpipe", gpus=2, step_s=1.0, **ON_A_CPU)
    answer = answer_of(tmp_path, "pipeline", scheduled("naive", gpus=2, **ON_A_CPU), slow)
    assert "The fastest on 2 CPU processes is naive" in answer
    assert "Its logical GPUs wait for" in answer
