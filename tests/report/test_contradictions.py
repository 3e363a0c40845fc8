"""Sentences and tables of made-up results that once contradicted one another.

The names in docstrings are those of the hostile reading of the report, `report-truth.md`.
"""

import re
from dataclasses import replace

import msgspec
import pytest

from report.answers import memory, step_time, sweep
from report.data.load import load_results
from report.data.measured import measured
from report.data.selection import select_tables
from report.sections import make_headlines, make_section
from study.grid import load_grids
from tests.report.made_up import MIB, measuring, result, write
from tests.report.made_up_conditions import at_clock, from_commit, warmed_up
from tests.report.made_up_pipeline import scheduled
from tests.report.shown import answer_of, cells, details_of, only_section, sentences

PIPELINES = "table: schedules\nmodel: {depth: 20}\n"


@pytest.fixture
def shown(tmp_path):
    """The section of these results in a grid of one's own, and its headlines."""

    def show(text, *results):
        path = tmp_path / "mine.yaml"
        path.write_text(text)
        write(tmp_path / "results", "slurm", *results)
        (grid,) = load_grids([str(path)])
        (table,) = select_tables(grid, load_results(tmp_path / "results", pytest.fail))
        return make_section(table), make_headlines(table)

    return show


def counts(times_s, **keys):
    return [result("task3", gpus=gpus, step_s=s, **keys) for gpus, s in times_s.items()]


def depths(times_s, **keys):
    return [result("task2", depth=d, step_s=s, **keys) for d, s in times_s.items()]


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


def text_of(section):
    return " ".join(sentences(section))


# --- named in report-truth.md ---


def test_pipelines_that_compute_most_of_the_time_do_not_wait(shown):
    """`m_1f1b_slower_but_busy`: 4.17 of 5 compute at a time, and 5 GPUs take longer."""
    both = [
        scheduled("1f1b", gpus=2, micro_batches=20, step_s=0.1575),
        scheduled("1f1b", gpus=5, micro_batches=20, step_s=1.37 * 0.1575),
    ]
    section, _ = shown(
        "axes: {gpus: [2, 5], schedule: [1f1b], micro_batches: [20]}\ntable: memory\n"
        "model: {depth: 20, dim: 5120, batch_size: 20480}\ntrain: {dtype: bfloat16}\n",
        *both,
    )
    assert "5 GPUs take 37 % more time than 2 GPUs" in text_of(section)
    assert not re.search(r"mostly|wait for|take turns", text_of(section))


@pytest.mark.parametrize("mhz", [700, 900])
def test_a_slower_clock_gives_no_answer_on_adding_gpus(tmp_path, mhz):
    """`clock_half`, `t4_throttled`: 5 GPUs at half the clock once made "training slower"."""
    slow = at_clock(result(gpus=5, step_s=0.13), mhz, gpu=3)
    answer = answer_of(tmp_path, "task4", result(gpus=2, step_s=0.1), slow)
    assert f"between 2 and 5 GPUs: GPU 3 ran at {mhz} of 1410 MHz on 5 GPUs" in answer
    assert "training gets" not in answer
    assert "times as long" not in answer


def test_other_code_is_in_the_sentence_on_adding_gpus(tmp_path):
    """`t4_mixed_commit`."""
    other = from_commit(result(gpus=5, step_s=0.13), "1")
    answer = answer_of(tmp_path, "task4", result(gpus=2, step_s=0.1), other)
    assert "(95 % CI 28 to 32 %); but commits differ (0000000, 1111111)" in answer


@pytest.mark.parametrize(("five_s", "percent"), [(0.0801, "19.9"), (0.0800, "20.0")])
def test_percents_below_a_factor_are_of_the_time_on_both_sides_of_a_fifth(
    tmp_path, five_s, percent
):
    """`pct_faster`, `pct_faster2`: 19.9 % faster was beside 1.25 times as fast."""
    answer = answer_of(tmp_path, "task4", result(gpus=2), result(gpus=5, step_s=five_s))
    assert f"5 GPUs take {percent} % less time than 2 GPUs" in answer
    assert "% faster" not in answer


def test_a_median_that_is_compared_has_its_interval_in_the_table(tmp_path):
    """`ci_null_many`."""
    both = [measuring(result(gpus=g, step_s=s), median_ci_s=None) for g, s in ((2, 0.1), (5, 0.2))]
    assert "(95 % CI" in answer_of(tmp_path, "task4", *both)
    times = [row["step time (95 % CI)"] for row in cells(only_section(tmp_path))]
    assert times == ["100 ms (99 – 101)", "200 ms (198 – 203)"]


def test_phases_longer_than_the_timed_step_say_by_how_much(tmp_path):
    """As the sample's depth 6: phases of 3.39 ms in a step of 2.35 ms."""
    given = result("task2", depth=6, step_s=0.1)
    twice = [2 * s for s in given.measurement.breakdown.step_times_s]
    slow = msgspec.structs.replace(
        given.measurement.breakdown, step_times_s=twice, plain_step_times_s=twice
    )
    write(tmp_path, "slurm", measuring(given, breakdown=slow))
    notes = [line for table in details_of(tmp_path, "task2").values() for line in table.notes]
    assert any("Instrumented steps took +100.0 % compared with timed ones" in n for n in notes)


# --- speed-ups of what cannot be compared ---


def test_a_case_that_cannot_be_compared_has_no_speed_up_over_itself(tmp_path):
    slow = at_clock(result(gpus=5, step_s=0.13), 700)
    write(tmp_path, "slurm", result(gpus=2), slow)
    rows = cells(only_section(tmp_path))
    assert [(row["speed-up over 2 GPUs"], row["efficiency"]) for row in rows] == [
        ("1.00", "100.0 %"),
        ("–", "–"),
    ]


def test_a_schedule_of_two_jobs_has_no_speed_up_over_itself(shown):
    keys = {"gpus": 2, "micro_batches": 8}
    section, _ = shown(
        "axes: {gpus: [1, 2], schedule: [naive, gpipe, zbv], micro_batches: [8]}\n" + PIPELINES,
        scheduled("naive", gpus=1, step_s=0.3),
        scheduled("naive", gpus=2, step_s=0.3),
        scheduled("gpipe", step_s=0.16, **keys),
        scheduled("gpipe", step_s=0.17, repeat=2, **keys),
        scheduled("zbv", step_s=0.2, **keys),
    )
    found = {row["schedule"]: row["speed-up over 1 GPU"] for row in cells(section)
             if row["GPUs"] == "2"}  # fmt: skip
    assert found == {"naive": "1.00", "GPipe": "–", "ZBV": "1.50"}
    assert (
        "On 2 GPUs, of the cases that can be compared, ZBV with 8 micro-batches is the fastest"
        in text_of(section)
    )


def test_two_kinds_of_hardware_have_speed_ups_among_themselves(shown):
    h200 = counts({4: 0.05, 5: 0.04}, gpu_name="NVIDIA H200")
    section, headlines = shown(gpus_grid(1, 2, 4, 5), *counts({1: 0.1, 2: 0.09}), *h200)
    found = [row["speed-up over the fewest comparable GPUs"] for row in cells(section)]
    assert found == ["1.00", "1.11", "1.00", "1.25"]
    assert any(line.startswith("Number of GPUs: From 1 to 2 GPUs: 1.11") for line in headlines)


# --- yes and no against the verdicts ---


def test_ends_that_differ_are_told_though_no_neighbours_do(shown):
    """Each number of GPUs is 0.4 % slower than the last, which is no difference; all are 1.2 %."""
    cases = repeated(
        lambda g, s, n: result("task3", gpus=g, step_s=s, repeat=n),
        {1: 0.1, 2: 0.1004, 4: 0.1008, 5: 0.1012},
    )
    section, headlines = shown(gpus_grid(1, 2, 4, 5), *cases)
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


# --- disturbed measurements ---


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
    assert "with caution, since" in answer
    assert (
        "What each layer adds cannot be told from these results, since something disturbed them: "
        "on average a layer takes 5 ms, 5 ms and "
    ) in answer
    assert "each extra layer adds" not in answer
    (line,) = step_time.headlines([measured(r) for r in [*others, disturb(deepest)]])
    assert "each extra layer adds" not in line
    assert "with caution, since" in line


def test_perfect_sharing_is_not_judged_where_something_disturbed(tmp_path):
    few = warmed_up(result(gpus=5, step_s=0.09), steady=False)
    assert "Perfect sharing" not in answer_of(tmp_path, "task4", result(gpus=2), few)


def test_no_fixed_cost_is_minus_nothing(tmp_path):
    answer = answer_of(tmp_path, "task2", *depths({6: 0.03, 12: 0.06, 24: 0.12}))
    assert "A fixed cost a step cannot be told from none, 0.0 ms (95 % CI −1.1 to 1.1 ms)" in answer


# --- first pages name their group ---


def test_headlines_name_the_group_that_they_are_about(shown):
    """Adam makes no difference to bfloat16, and the headline said "Optimizer: Yes"."""
    cases = [
        result(gpus=2, optimizer=o, dtype=d, step_s=s)
        for o, d, s in (("sgd", "float32", 0.1), ("adam", "float32", 0.12),
                        ("sgd", "bfloat16", 0.05), ("adam", "bfloat16", 0.05))
    ]  # fmt: skip
    _, headlines = shown(
        "axes: {optimizer: [sgd, adam], dtype: [float32, bfloat16]}\ntable: step_time\n"
        "model: {depth: 20, gpus: 2}\n",
        *cases,
    )
    assert [line[:25] for line in headlines] == [
        "Dtype: Optimizer sgd: Yes",
        "Optimizer: Dtype float32:",
    ]


def test_headlines_on_gpus_and_depth_name_their_group():
    made = [
        measured(result("task3", depth=d, gpus=g, step_s=s))
        for d, g, s in ((10, 1, 0.1), (10, 2, 0.05), (20, 1, 0.2), (20, 2, 0.4))
    ]
    adding, busy = memory.headlines(made)
    assert adding.startswith("Adding GPUs: Depth 10: Yes.")
    assert busy.startswith("GPUs at work: Depth 10: All GPUs")
    assert step_time.headlines(made)[0].startswith("Depth: 1 GPU: more depth makes a step slower")
    assert "on 1 GPU" not in step_time.headlines(made)[0]


def test_an_axis_of_a_table_of_memory_is_on_the_first_page():
    made = [
        measured(result(gpus=2, optimizer=o, step_s=s)) for o, s in (("sgd", 0.1), ("adam", 0.2))
    ]
    assert any(line.startswith("Optimizer: Yes.") for line in memory.headlines(made))


# --- schedules and their formulas ---


@pytest.mark.parametrize(
    ("one_s", "words"),
    [
        (0.9, "9.00 times as fast as one GPU (more than the 3.57 times that its formula allows)."),
        (0.05, "2.00 times as long as one GPU (its formula allows 3.57 times as fast)."),
        (0.12, "% less time than one GPU (its formula allows 3.57 times as fast)."),
        (0.1, "no faster than one GPU (its formula allows 3.57 times as fast)."),
    ],
)
def test_what_a_formula_allows_fits_the_words_before_it(tmp_path, one_s, words):
    cases = [scheduled("naive", gpus=1, step_s=one_s), scheduled("naive", step_s=0.95)]
    answer = answer_of(tmp_path, "pipeline", *cases, scheduled("gpipe", step_s=0.1))
    assert words in answer


def test_layers_of_naive_are_not_told_of_other_schedules(shown):
    """Only tensor parallelism ran on 2 and 4 GPUs: "asks for 2 and 4 GPUs, too; 2 and 4 were"."""
    section, _ = shown(
        "axes: {gpus: [1, 2, 4], schedule: [naive, tensor]}\n" + PIPELINES,
        *(scheduled("tensor", gpus=g, step_s=0.6 / g) for g in (2, 4)),
    )
    assert "asks for" not in text_of(section)


def test_one_gpu_that_nobody_measured_gets_its_layers(shown):
    section, _ = shown(gpus_grid(1, 2), *counts({2: 0.1}))
    assert "1 GPU gets 20 of 20 layers, and data moves 0 times each way" in text_of(section)


# --- rows and lists ---


def test_a_row_of_a_batch_that_was_not_compared_has_no_time(shown):
    cases = [
        result(gpus=2, batch_size=b, step_s=s, emulated=b == 256)
        for b, s in ((16, 0.1), (64, 0.2), (256, 0.4))
    ]
    section, _ = shown(
        "axes: {batch_size: [16, 64, 256]}\ntable: step_time\nmodel: {depth: 20, gpus: 2}\n", *cases
    )
    assert "A row of the batch takes 6.25 ms at batch 16, 3.12 ms at batch 64." in text_of(section)


def test_of_many_gpus_alike_the_peak_is_told_once():
    given = result("task3", depth=64, gpus=64, peaks=[100 * MIB] * 64)
    (text,) = [s for a in memory.answer([measured(given)]) for s in a.sentences if "peak" in s]
    assert text == "At the peak of a step, GPU by GPU from GPU 0: on 64 GPUs 100 MiB each."
    uneven = result("task3", depth=64, gpus=64, peaks=[100 * MIB] * 63 + [50 * MIB])
    (text,) = [s for a in memory.answer([measured(uneven)]) for s in a.sentences if "peak" in s]
    assert "on 64 GPUs between 50.0 MiB and 100 MiB each" in text.replace("50 MiB", "50.0 MiB")


def test_columns_of_gpus_stand_side_by_side(shown):
    """With 1 GPU first, `data moves before layer` stood between GPU 0 and GPU 1."""
    section, _ = shown(
        "axes: {gpus: [1, 3]}\ntable: layer_map\nmodel: {depth: 20}\n", *counts({1: 0.1, 3: 0.1})
    )
    of_gpus = [f"layers of GPU {gpu}" for gpu in range(3)]
    at = section.table.columns.index(of_gpus[0])
    assert section.table.columns[at : at + 3] == of_gpus


def test_the_fastest_that_is_the_cheapest_is_named_once(shown):
    section, _ = shown(gpus_grid(1, 2), *counts({1: 0.1, 2: 0.02}))
    assert "A step is fastest and cheapest on 2 GPUs (20 ms, 40 GPU-ms)." in text_of(section)


def test_a_gain_beyond_a_thousand_has_no_digits(shown):
    section, _ = shown(gpus_grid(1, 2), *counts({1: 1e-6, 2: 1e3}))
    assert "From 1 to 2 GPUs: over 1000 times as long for twice the GPUs" in text_of(section)
    assert "1000000" not in text_of(section)
