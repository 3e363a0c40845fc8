"""What would help: the sentences follow from the numbers, and say when these cannot tell."""

import re

import msgspec
import pytest

from report.analysis.time_use import instrumentation_warning
from report.answers import schedules
from report.data.measured import measured
from report.wording.units import data_size
from study.grids.file import load_grids
from study.results.result import Collective
from tests.report.made_up import failed, measuring, steady, write
from tests.report.made_up_pipeline import peaks, scheduled
from tests.report.shown import answer_of, only_section, sentences


def steadily(schedule, step_s, **keys):
    """The case, with steps that vary by 0.1 %."""
    made = scheduled(schedule, step_s=step_s, **keys)
    return measuring(made, step_times_s=steady(step_s), median_ci_s=None)


ON_A_CPU = {"gpu_name": None, "threads": 1, "cores": 2}


def test_a_pipeline_that_helps_is_told_with_what_its_formula_allows(tmp_path):
    answer = answer_of(
        tmp_path,
        "pipeline",
        scheduled("naive", gpus=1, step_s=0.3),
        scheduled("naive", step_s=0.34),
        scheduled("1f1b", micro_batches=20, step_s=0.1),
    )
    assert "On 5 GPUs, of 1 other case, 1 is faster than naive." in answer
    assert "1F1B with 20 micro-batches is 3.40 times as fast as naive (95 % CI" in answer
    assert answer.splitlines()[2].startswith(
        "On 5 GPUs 1F1B with 20 micro-batches is the fastest: 100 ms a step, 3.00 times as fast "
        "as one GPU (its formula allows 4.17 times)."
    )


def test_a_pipeline_that_hurts_is_told(tmp_path):
    both = [scheduled("naive", step_s=0.1), scheduled("gpipe", step_s=0.2)]
    answer = answer_of(tmp_path, "pipeline", *both)
    assert "On 5 GPUs, of 1 other case, 1 is slower." in answer
    assert "GPipe with 10 micro-batches takes 2.00 times as long as naive (95 % CI" in answer
    assert answer.splitlines()[2].startswith("On 5 GPUs naive is the fastest: 100 ms a step.")


def test_a_pipeline_that_makes_no_difference_is_told(tmp_path):
    both = [steadily("naive", 0.1), steadily("gpipe", 0.1)]
    answer = answer_of(tmp_path, "pipeline", *both)
    assert answer.splitlines()[2].startswith(
        "On 5 GPUs none is the fastest: all 2 cases take as long, 100 ms a step."
    )
    assert "1 takes as long." in answer
    assert "o detectable difference between naive and GPipe" in answer


def test_each_schedule_is_shown_at_its_best(tmp_path):
    answer = answer_of(
        tmp_path,
        "pipeline",
        scheduled("naive", step_s=0.3),
        scheduled("zbv", micro_batches=10, step_s=0.09),
        scheduled("zbv", micro_batches=20, step_s=0.08),
    )
    assert "On 5 GPUs both other cases are faster than naive." in answer
    assert "ZBV with 20 micro-batches is 3.75 times as fast" in answer
    assert "ZBV with 10 micro-batches is 3." not in answer


@pytest.mark.parametrize(
    ("next_s", "words"),
    [
        (0.1, "ZBV and ZB1P (10 micro-batches each) are the fastest and equally fast: 99.9 ms"),
        (0.12, "ZBV with 10 micro-batches is the fastest: 99.9 ms a step"),
        (0.12, "Next: ZB1P with 10 micro-batches takes 20.1 % more time than ZBV with 10"),
    ],
)
def test_all_that_are_as_fast_are_named_and_the_next_is_compared(tmp_path, next_s, words):
    both = [steadily("zbv", 0.0999), steadily("zero_bubble", next_s)]
    answer = answer_of(tmp_path, "pipeline", scheduled("naive"), *both)
    assert words in answer


@pytest.mark.parametrize(
    ("disturbed", "most"),
    [
        (
            {"transfer_s": 5e-3},
            "mainly because data arrive some time after another GPU has made them.",
        ),
        ({"stage_takes": {1: 2}}, "mainly because stages take unequal time: stage 1 takes"),
        ({"launch_s": 2e-3}, "mainly because of gaps that neither unequal stages nor transfers"),
    ],
    ids=["communication", "imbalance", "rest"],
)
def test_what_bounds_the_fastest_is_named(tmp_path, disturbed, most):
    answer = answer_of(tmp_path, "pipeline", scheduled("1f1b", **disturbed))
    assert "of a step (by formula: 28.6 %), mainly" in answer
    assert most in answer


def test_a_bubble_as_the_formula_says_is_said_to_be_so(tmp_path):
    answer = answer_of(tmp_path, "pipeline", scheduled("1f1b"))
    assert "GPUs wait for 28.6 % of a step, as the formula says (28.6 %)." in answer


def test_what_the_fastest_costs_in_memory_stands_beside_naive(tmp_path):
    naive, pipeline = (
        scheduled("naive", peaks=peaks(5, 100)),
        scheduled("gpipe", peaks=peaks(5, 250)),
    )
    answer = answer_of(tmp_path, "pipeline", naive, pipeline)
    assert "Peak memory is 250 MiB, on GPU 0, 2.5 times that of naive (100 MiB)." in answer
    less = scheduled("gpipe", peaks=peaks(5, 80))
    answer = answer_of(tmp_path, "pipeline", naive, less)
    assert "Peak memory is 80 MiB, on GPU 0, 20 % below naive (100 MiB)." in answer


def test_tensor_parallelism_is_told_with_what_it_reduces(tmp_path):
    both = [scheduled("naive", step_s=0.3), scheduled("tensor", step_s=0.15)]
    answer = answer_of(tmp_path, "pipeline", *both)
    assert "Tensor parallelism is 2.00 times as fast as naive (95 % CI" in answer
    case = both[1].case
    size = data_size(20 * case.batch_size * case.dim * 4)
    assert f"every GPU takes part in 20 all-reduces a step, of {size} in all" in answer
    assert "formula" not in answer


def test_without_naive_nothing_is_said_to_be_faster_than_it(tmp_path):
    answer = answer_of(
        tmp_path, "pipeline", failed(task="pipeline", gpus=5), scheduled("1f1b"), scheduled("zbv")
    )
    assert (
        "Whether a schedule is faster than naive on 5 GPUs cannot be told from these results: "
        "naive has no measurement here."
    ) in answer
    assert "On 5 GPUs ZBV with 10 micro-batches is the fastest" in answer
    assert "Failed: depth 20 on 5 GPUs (out of memory on a GPU)." in answer


def test_naive_alone_tells_nothing_of_what_would_help(tmp_path):
    answer = answer_of(tmp_path, "pipeline", scheduled("naive"))
    assert "Which schedule is fastest cannot be told from these results: no other" in answer


def test_one_gpu_tells_nothing_of_what_would_help(tmp_path):
    answer = answer_of(tmp_path, "pipeline", scheduled("naive", gpus=1))
    assert "fastest cannot be told from these results: it takes 2 GPUs or more." in answer


def test_a_failed_pipeline_is_named_with_its_schedule(tmp_path):
    broken = failed(task="pipeline", gpus=5, schedule="zbv", micro_batches=20)
    answer = answer_of(tmp_path, "pipeline", scheduled("naive"), scheduled("1f1b"), broken)
    assert (
        "Failed: depth 20 on 5 GPUs as ZBV with 20 micro-batches (out of memory on a GPU)."
        in answer
    )


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
    assert (
        "EMULATED: 1 of 2 results comes from processes that share the 2 cores of a CPU." in answer
    )
    assert "as fast as naive in one process of 5 logical GPUs" in answer
    assert "On 5 CPU processes 1F1B with 10 micro-batches is the fastest" in answer
    assert "formula allows" not in answer
    assert "on 5 GPUs" not in answer


def test_one_process_with_all_cores_is_not_held_against_processes_of_one_thread(tmp_path):
    naive = scheduled("naive", gpu_name=None, threads=8)
    answer = answer_of(tmp_path, "pipeline", naive, scheduled("1f1b", **ON_A_CPU))
    assert (
        "Whether a schedule is faster than naive on 5 CPU processes cannot be told from" in answer
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
    assert "times as fast as naive (95 % CI" in answer_of(tmp_path, "pipeline", *both)


def test_how_long_tensor_parallelism_waits_is_told_where_it_was_seen(tmp_path):
    naive, tensor = scheduled("naive", gpus=2), scheduled("tensor", gpus=2, together_s=0.05)
    answer = answer_of(tmp_path, "pipeline", naive, tensor)
    assert "every GPU takes part in 20 all-reduces a step, of " in answer
    assert " in all, and waits for them 40.0 % of a step on average." in answer
    # What holds the fastest back is said of it, too, though no formula has it.
    assert re.search(r"GPUs wait for 4\d\.\d % of a step, 40\.0 % for collectives\. ", answer)


def test_a_case_of_too_few_steps_keeps_nobody_from_being_compared(tmp_path):
    quick = scheduled("gpipe", micro_batches=10, step_s=0.05)
    quick = measuring(quick, step_times_s=[0.05] * 3, median_ci_s=None)
    naive, other = scheduled("naive", step_s=0.3), scheduled("1f1b", step_s=0.1)
    answer = answer_of(tmp_path, "pipeline", naive, other, quick)
    assert "On 5 GPUs, of 1 other case, 1 is faster than naive." in answer
    assert (
        "Not compared on 5 GPUs: GPipe with 10 micro-batches; "
        "there are too few timed steps or jobs for a confidence interval."
    ) in answer


def test_why_gpus_wait_says_little_where_instruments_disturb(tmp_path):
    made = scheduled("1f1b", transfer_s=0.002)
    steps = [0.4 * s for s in made.measurement.step_times_s]
    quick = measuring(made, step_times_s=steps, median_ci_s=None)
    warning = instrumentation_warning(measured(quick))
    assert "2.5 times as long as timed ones" in warning
    assert warning in answer_of(tmp_path, "pipeline", scheduled("naive"), quick)
    assert warning not in answer_of(tmp_path, "pipeline", scheduled("naive"), made)


def test_how_long_tensor_parallelism_waits_says_little_where_instruments_disturb(tmp_path):
    made = scheduled("tensor", gpus=2, together_s=0.05, step_s=0.25)
    steps = [0.4 * s for s in made.measurement.step_times_s]
    quick = measuring(made, step_times_s=steps, median_ci_s=None)
    answer = answer_of(tmp_path, "pipeline", scheduled("naive", gpus=2), quick)
    warning = instrumentation_warning(measured(quick))
    assert warning
    assert f"for them 40.0 % of a step on average.{warning}" in answer


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
    assert "On 2 CPU processes naive is the fastest" in answer
    assert "Logical GPUs wait for" in answer


def test_none_is_the_fastest_where_all_are_equal(tmp_path):
    schedules = ("naive", "gpipe", "1f1b", "zero_bubble", "zbv", "tensor")
    answer = answer_of(tmp_path, "pipeline", *(steadily(s, 0.1) for s in schedules))
    assert answer.splitlines()[2].startswith(
        "On 5 GPUs none is the fastest: all 6 cases take as long, 100 ms a step."
    )
    assert answer.count("is the fastest") == 1
    assert "6 cases are the fastest and the cheapest and equally good (100 ms" in answer


def test_those_that_cannot_be_told_from_the_fastest_are_named(tmp_path):
    wide = [0.09 + 0.001 * n for n in range(41)]
    unsure = scheduled("zero_bubble", step_s=0.11)
    low_high = (min(wide), max(wide))
    unsure = measuring(unsure, step_times_s=wide, median_ci_s=low_high)
    results = [scheduled("naive", step_s=0.3), scheduled("zbv", step_s=0.107), unsure]
    answer = answer_of(tmp_path, "pipeline", *results)
    assert (
        "On 5 GPUs ZBV with 10 micro-batches has the shortest median step, 107 ms; ZB1P with 10 "
        "micro-batches cannot be told from it (up to 110 ms)."
    ) in answer
    assert "With ZBV, GPUs wait for" in answer


def test_the_formula_stands_beside_a_speed_over_one_gpu_or_not_at_all(tmp_path):
    """A11: naive on 5 GPUs is slower than one GPU; what the formula allows is over one GPU."""
    pipeline = scheduled("gpipe", step_s=0.056)
    answer = answer_of(tmp_path / "a", "pipeline", scheduled("naive", step_s=1.0), pipeline)
    assert "17.9 times as fast as naive" in answer.replace("17.86", "17.9")
    assert "formula allows" not in answer
    one = scheduled("naive", gpus=1, step_s=0.15)
    answer = answer_of(tmp_path / "b", "pipeline", one, scheduled("naive", step_s=1.0), pipeline)
    assert "2.68 times as fast as one GPU (its formula allows 3.57 times)." in answer


def test_the_reason_that_a_case_is_left_out_is_its_own_or_names_the_fastest(tmp_path):
    unsteady = {"warmup_steady": False}
    best = scheduled("gpipe", step_s=0.05)
    best = measuring(best, step_times_s=best.measurement.step_times_s[:20], **unsteady)
    few = scheduled("zbv", step_s=0.2)
    few = measuring(few, step_times_s=[0.2] * 3, median_ci_s=None)
    answer = answer_of(tmp_path, "pipeline", scheduled("1f1b", step_s=0.1), best, few)
    assert "ZBV with 10 micro-batches; there are too few timed steps or jobs for a" in answer
    assert "1F1B with 10 micro-batches; with GPipe with 10 micro-batches there are only" in answer


def test_an_emulated_case_does_not_push_real_ones_out(tmp_path):
    """A14: ZBV on CPU processes is the quickest, and says nothing of GPUs."""
    real = [scheduled("naive"), scheduled("gpipe", step_s=0.084), scheduled("1f1b", step_s=0.084)]
    emulated = scheduled("zbv", step_s=0.064, **ON_A_CPU)
    answer = answer_of(tmp_path, "pipeline", *real, emulated)
    assert "On 5 GPUs GPipe and 1F1B (10 micro-batches each) are the fastest" in answer
    assert "On 5 CPU processes only ZBV with 10 micro-batches was measured: 64 ms" in answer
    assert "Not compared" not in answer


def test_the_fastest_is_not_said_to_be_faster_than_a_naive_it_cannot_be_compared_with(tmp_path):
    made = [
        steadily("naive", 0.05, **(ON_A_CPU | {"threads": 2})),
        *(steadily(name, s, **ON_A_CPU) for name, s in (("gpipe", 0.1), ("zbv", 0.08))),
    ]
    fastest = "On 5 CPU processes, of the cases that can be compared, ZBV with 10 micro-batches is"
    assert fastest in answer_of(tmp_path, "pipeline", *made)
    (headline,) = schedules.headlines([measured(one) for one in made])
    assert fastest in headline
    assert headline.endswith(
        "Whether it is faster than naive cannot be told from these results: they were measured "
        "with different numbers of threads in a process (1 thread; 2 threads)."
    )


def test_only_one_case_can_be_ranked_is_said_only_where_others_were_measured(tmp_path):
    alone = answer_of(tmp_path / "one", "pipeline", steadily("gpipe", 0.1))
    assert "On 5 GPUs only GPipe with 10 micro-batches was measured: 100 ms a step." in alone
    two_threads = steadily("naive", 0.05, **(ON_A_CPU | {"threads": 2}))
    both = answer_of(tmp_path / "two", "pipeline", steadily("gpipe", 0.1, **ON_A_CPU), two_threads)
    assert "On 5 CPU processes only GPipe with 10 micro-batches can be ranked: 100 ms" in both


def test_sentences_name_their_case_where_another_key_differs(tmp_path):
    text = (
        "axes: {gpus: [1, 2], schedule: [naive, zbv], optimizer: [sgd, adam], "
        "micro_batches: [8]}\ntable: schedules\nmodel: {depth: 20}\n"
    )
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    (mine,) = load_grids([str(path)])
    results = [
        scheduled(c.schedule, **{k: v for k, v in c.as_dict().items() if k != "schedule"})
        for c in mine.cases()
    ]
    write(tmp_path, "slurm", *results)
    found = sentences(only_section(tmp_path, str(path)))
    named = [text.split(": ")[0] for text in found if "DDP" not in text]
    assert len(found) == len(named) + 1
    assert named == ["Optimizer sgd", "Optimizer adam"] * 4


def test_a_caution_comes_with_the_figure_that_it_concerns(tmp_path):
    naive = slowed(scheduled("naive", gpus=1, step_s=0.3))
    answer = answer_of(
        tmp_path, "pipeline", naive, scheduled("naive"), scheduled("zbv", step_s=0.1)
    )
    assert "about 3.0 times as fast as one GPU" in answer
    assert "Caution 1: GPU 0 ran at 700 to 1400 of 1410 MHz on 1 GPU." in answer


def slowed(given):
    """The result, on a GPU whose clock fell to half; its steps took much longer than that."""
    first, *others = given.environment.gpus
    low = msgspec.structs.replace(first.after, sm_clock_hz=700_000_000)
    gpus = [msgspec.structs.replace(first, after=low), *others]
    environment = msgspec.structs.replace(given.environment, gpus=gpus)
    return msgspec.structs.replace(given, environment=environment)


def test_the_first_page_has_the_fastest_on_the_most_real_gpus():
    made = [scheduled("naive", gpus=1, step_s=0.3), scheduled("zbv", gpus=2, step_s=0.2)]
    made += [scheduled("zbv", gpus=4, step_s=0.1), scheduled("gpipe", gpus=4, step_s=0.15)]
    emulated = scheduled("zbv", gpus=5, **ON_A_CPU)
    assert schedules.headlines([measured(result) for result in [*made, emulated]]) == [
        "Schedules: On 4 GPUs ZBV with 10 micro-batches is the fastest: 100 ms a step, 3.00 times "
        "as fast as one GPU (its formula allows 3.81 times)."
    ]


def test_cases_with_one_reason_are_left_out_in_one_line(tmp_path):
    def short(schedule, steps):
        made = scheduled(schedule, step_s=0.2)
        times = made.measurement.step_times_s[:steps]
        return measuring(made, step_times_s=times, warmup_steady=None, median_ci_s=None)

    others = [short("1f1b", 22), short("zero_bubble", 16), short("zbv", 10)]
    answer = answer_of(tmp_path, "pipeline", scheduled("gpipe", step_s=0.1), *others)
    assert [line for line in answer.splitlines() if "Not compared" in line] == [
        "Not compared on 5 GPUs: 1F1B, ZB1P and ZBV (10 micro-batches each); there are only 10 to "
        "22 timed steps after a warm-up that is not known to have become steady."
    ]


def test_what_hinders_a_comparison_with_naive_is_told_once(tmp_path):
    both = [scheduled(s, gpus=g) for s in ("gpipe", "1f1b") for g in (2, 5)]
    answer = answer_of(tmp_path, "pipeline", *both)
    assert answer.count("naive has no measurement here") == 1
    assert "faster than naive on 2 GPUs and 5 GPUs cannot be told from" in answer
