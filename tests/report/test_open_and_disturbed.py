"""Yes and no against the verdicts listed, and what disturbed or impossible measurements give."""

from dataclasses import replace

import msgspec
import pytest

from report.analysis.comparison import cautions
from report.answers import memory, step_time, sweep
from report.data.load import load_results
from report.data.measured import measured
from report.data.selection import select_tables
from report.make import make_document
from report.wording.cautions import spelled_out
from study.grids.file import load_grids
from tests.report.made_up import counts, depths, failed, measuring, result, write
from tests.report.made_up_conditions import at_clock, warmed_up
from tests.report.made_up_pipeline import scheduled
from tests.report.shown import (
    answer_of,
    sentences,
    shown_in,
    text_of,
)

PIPELINES = "table: schedules\nmodel: {depth: 20}\n"


def repeated(make, times_s, jobs=5):
    """Cases of several jobs that differ by a few hundredths of a percent."""
    return [
        make(value, step_s * (1 + 0.0005 * (2 * n % jobs - jobs // 2)), n + 1)
        for value, step_s in times_s.items()
        for n in range(jobs)
    ]


def of_jobs(jobs):
    """Several jobs of a case as one measured case."""
    return replace(jobs[0], repeats=jobs[1:])


def gpus_grid(*numbers):
    return (
        f"axes: {{gpus: [{', '.join(map(str, numbers))}]}}\ntable: memory\nmodel: {{depth: 20}}\n"
    )


def test_ends_that_differ_are_told_though_no_neighbours_do(tmp_path):
    """Each number of GPUs is 0.4 % slower than the last, which is no difference; all are 1.2 %."""
    cases = repeated(
        lambda g, s, n: result("task3", gpus=g, step_s=s, repeat=n),
        {1: 0.1, 2: 0.1004, 4: 0.1008, 5: 0.1012},
    )
    section, headlines = shown_in(tmp_path, gpus_grid(1, 2, 4, 5), *cases)
    answer = text_of(section)
    assert (
        "No, though no two numbers of GPUs next to each other are known to differ. From 1 to 5"
        in (answer)
    )
    assert "No, it makes no difference" not in answer
    assert headlines[0].startswith("Adding GPUs: No, though no two numbers of GPUs")


@pytest.mark.parametrize(
    ("factor", "start", "has_doubt"),
    [(1.004, "No, ", False), (0.996, "In these results, yes, ", True)],
)
def test_the_shallowest_and_the_deepest_differ_though_no_neighbours_do(factor, start, has_doubt):
    times = {depth: 0.1 * factor**n for n, depth in enumerate((6, 12, 24))}
    cases = repeated(lambda d, s, n: (d, s, n), times)
    by_depth = {}
    for d, s, n in cases:
        by_depth.setdefault(d, []).append(measured(result("task2", depth=d, step_s=s, repeat=n)))
    given = [of_jobs(jobs) for jobs in by_depth.values()]
    (line,) = step_time.answer(given)[0].sentences
    assert line.startswith(f"{start}though no two depths next to each other are known to differ.")
    assert "depth 24 takes 0.8 %" in line
    assert ("something else disturbed" in line) is has_doubt


def test_batches_that_differ_over_the_whole_range_are_not_without_a_difference():
    times = {16: 0.1, 32: 0.1004, 64: 0.1008}
    by_batch = {}
    for b, s, n in repeated(lambda b, s, n: (b, s, n), times):
        job = result(depth=20, gpus=2, batch_size=b, step_s=s, repeat=n)
        by_batch.setdefault(b, []).append(measured(job))
    (found,) = sweep.answer([of_jobs(jobs) for jobs in by_batch.values()])
    assert found.sentences[0].startswith("Yes, over the whole range. From batch 16 to 64")


@pytest.mark.parametrize(
    "disturb",
    [
        lambda given: warmed_up(given, steady=False),
        lambda given: at_clock(given, 1000, reasons=["hw_thermal_slowdown"]),
        lambda given: measuring(given, step_times_s=given.measurement.step_times_s[:29]),
    ],
    ids=["warm-up", "heat", "few steps"],
)
def test_disturbed_depths_have_no_cost_of_a_layer(tmp_path, disturb):
    """The answer had a caution, and the reason below it a slope with three digits."""
    *others, deepest = depths({6: 0.03, 12: 0.06, 24: 0.12})
    answer = answer_of(tmp_path, "task2", *others, disturb(deepest))
    assert "(caution: " in answer or "(caution 1)" in answer
    assert (
        "What each layer adds cannot be told from these results, since something disturbed them: "
        "on average a layer takes 5 ms, 5 ms and "
    ) in answer
    assert "each extra layer adds" not in answer
    (line,) = step_time.headlines([measured(r) for r in [*others, disturb(deepest)]])
    line = spelled_out(line)
    assert "each extra layer adds" not in line
    assert "(caution: " in line


def test_perfect_sharing_is_not_judged_where_something_disturbed(tmp_path):
    few = warmed_up(result(gpus=5, step_s=0.09), steady=False)
    assert "Perfect sharing" not in answer_of(tmp_path, "task4", result(gpus=2), few)


def test_no_fixed_cost_is_minus_nothing(tmp_path):
    answer = answer_of(tmp_path, "task2", *depths({6: 0.03, 12: 0.06, 24: 0.12}))
    assert "A fixed cost a step cannot be told from none, 0 µs (95 % CI −700 to 800 µs)" in answer


def test_parts_longer_than_a_step_are_no_use_of_gpus(tmp_path):
    """GPUs that compute 1,364,416 % of a step were all used, nearly all the time."""
    long = scheduled("1f1b", gpus=2, micro_batches=2, step_s=1e-6)
    found = memory.answer([measured(long)])[0].sentences
    assert found[-1].endswith("the parts of the instrumented steps are longer than a step.")
    assert "%" not in " ".join(found)


def test_a_gpu_that_is_never_idle_is_not_less_idle_than_that():
    given = result(gpus=2)
    parts = [
        msgspec.structs.replace(use, forward_s=[0.0505] * 3, backward_s=[0.05] * 3,
                                optimizer_s=[0.0] * 3, transfer_in_s=[0.0] * 3,
                                transfer_out_s=[0.0] * 3, idle_s=[-0.0005] * 3)
        for use in given.measurement.breakdown.per_gpu
    ]  # fmt: skip
    breakdown = msgspec.structs.replace(given.measurement.breakdown, per_gpu=parts)
    text = " ".join(memory.answer([measured(measuring(given, breakdown=breakdown))])[0].sentences)
    assert "is idle for about 0 %" in text


def test_no_is_less_than_certain_where_a_pair_is_open(tmp_path):
    """1 to 2 GPUs is slower; of 2 and 4 nobody knows."""
    noisy = result("task3", gpus=4, steps_s=[0.2 + 0.002 * (k * 7 % 41 - 20) for k in range(41)])
    section, _ = shown_in(tmp_path, gpus_grid(1, 2, 4), *counts({1: 0.1, 2: 0.2}), noisy)
    answer = text_of(section)
    assert "rom 2 to 4 GPUs it cannot be told" in answer
    assert "No, as far as these results tell. From 1 to" in answer


def test_a_reason_that_slowed_a_clock_is_told_once():
    hot = at_clock(result(gpus=5, step_s=0.3), 900, reasons=["hw_thermal_slowdown"])
    found = cautions(measured(result(gpus=2)), measured(hot))
    assert found == ["GPU 0 ran at 900 of 1410 MHz on 5 GPUs (thermal slowdown)"]


def test_instruments_that_save_time_take_less_of_it(tmp_path):
    given = result(gpus=2, step_s=0.1)
    faster = [0.9 * s for s in given.measurement.breakdown.step_times_s]
    breakdown = msgspec.structs.replace(given.measurement.breakdown, step_times_s=faster)
    text = " ".join(memory.answer([measured(measuring(given, breakdown=breakdown))])[0].sentences)
    assert "(in instrumented steps, which took 10 % less time than timed ones)" in text


def test_layers_of_a_pipeline_run_in_turn_for_each_micro_batch_alone(tmp_path):
    cases = [
        scheduled("gpipe", gpus=2, depth=d, micro_batches=8, step_s=0.01 * d) for d in (16, 32)
    ]
    section, headlines = shown_in(
        tmp_path,
        "axes: {depth: [16, 32], gpus: [2], schedule: [gpipe], micro_batches: [8]}\n"
        "table: step_time\nmodel: {dim: 5120, batch_size: 20480}\ntrain: {dtype: bfloat16}\n",
        *cases,
    )
    assert "For each micro-batch the layers run one after another, so each" in text_of(section)
    assert "as layers run one after another" not in headlines[0]


def test_failed_cases_leave_the_others_answered(tmp_path):
    broken = [failed(task="task3", gpus=g) for g in (3, 5)]
    section, _ = shown_in(tmp_path, gpus_grid(2, 3, 4, 5), *counts({2: 0.2, 4: 0.1}), *broken)
    assert "Yes. From 2 to 4 GPUs training gets faster" in text_of(section)
    assert "The table asks for 3 and 5 GPUs, too; 2 and 4 were measured." in text_of(section)


def test_a_first_page_says_nothing_that_its_sections_do_not(tmp_path):
    """Headlines of depth and of GPUs stand in the sections word by word, but for their names."""
    write(tmp_path, "slurm", *depths({6: 0.1, 12: 0.05, 24: 0.15}), result(gpus=2),
          result(gpus=5, step_s=0.09))  # fmt: skip
    profiles = load_results(tmp_path, pytest.fail)
    tables = [t for g in load_grids(["task2", "task4"]) for t in select_tables(g, profiles)]
    document = make_document(tables)
    told = " ".join(s for section in document.sections for s in sentences(section))
    about = [line for line in document.glance if line.startswith(("Depth: ", "Adding GPUs: "))]
    assert len(about) == 2
    assert all(line.split(": ", 1)[1] in told for line in about)


def test_without_an_interval_no_schedule_is_called_the_fastest(tmp_path):
    few = [scheduled(s, step_s=0.06) for s in ("naive", "1f1b", "gpipe")]
    few = [measuring(r, step_times_s=[0.06] * 4, median_ci_s=None) for r in few]
    answer = answer_of(tmp_path, "pipeline", *few)
    assert (
        "Which schedule is fastest on 5 GPUs cannot be told from these results: there are too few"
        in (answer)
    )
    assert "is the fastest" not in answer
