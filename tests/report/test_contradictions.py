"""Sentences, headlines and rows of made-up results that once contradicted one another."""

import pytest

from report.answers import memory, step_time
from report.data.measured import measured
from tests.report.made_up import MIB, counts, result, write
from tests.report.made_up_conditions import at_clock
from tests.report.made_up_pipeline import scheduled
from tests.report.shown import (
    answer_of,
    cells,
    only_section,
    shown_in,
    text_of,
)

PIPELINES = "table: schedules\nmodel: {depth: 20}\n"


def gpus_grid(*numbers):
    return (
        f"axes: {{gpus: [{', '.join(map(str, numbers))}]}}\ntable: memory\nmodel: {{depth: 20}}\n"
    )


def test_a_case_that_cannot_be_compared_has_no_speed_up_over_itself(tmp_path):
    slow = at_clock(result(gpus=5, step_s=0.13), 700)
    write(tmp_path, "slurm", result(gpus=2), slow)
    rows = cells(only_section(tmp_path))
    assert [(row["speed-up over 2 GPUs"], row["efficiency"]) for row in rows] == [
        ("1.00", "100.0 %"),
        ("–", "–"),
    ]


def test_a_schedule_of_two_jobs_has_no_speed_up_over_itself(tmp_path):
    keys = {"gpus": 2, "micro_batches": 8}
    section, _ = shown_in(
        tmp_path,
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


def test_two_kinds_of_hardware_have_speed_ups_among_themselves(tmp_path):
    h200 = counts({4: 0.05, 5: 0.04}, gpu_name="NVIDIA H200")
    section, headlines = shown_in(
        tmp_path, gpus_grid(1, 2, 4, 5), *counts({1: 0.1, 2: 0.09}), *h200
    )
    found = [row["speed-up over the fewest comparable GPUs"] for row in cells(section)]
    assert found == ["1.00", "1.11", "1.00", "1.25"]
    assert any(line.startswith("Number of GPUs: From 1 to 2 GPUs: 1.11") for line in headlines)


def test_headlines_name_the_group_that_they_are_about(tmp_path):
    """Adam makes no difference to bfloat16, and the headline said "Optimizer: Yes"."""
    cases = [
        result(gpus=2, optimizer=o, dtype=d, step_s=s)
        for o, d, s in (("sgd", "float32", 0.1), ("adam", "float32", 0.12),
                        ("sgd", "bfloat16", 0.05), ("adam", "bfloat16", 0.05))
    ]  # fmt: skip
    _, headlines = shown_in(
        tmp_path,
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


@pytest.mark.parametrize(
    ("one_s", "words"),
    [
        (0.9, "9.00 times as fast as one GPU (more than the 3.57 times that its formula allows)."),
        (0.05, "2.00 times as long as one GPU (its formula allows 3.57 times as fast)."),
        (0.12, "% less time than one GPU (its formula allows 3.57 times as fast)."),
        (0.1, " one GPU (its formula allows 3.57 times as fast)."),
    ],
)
def test_what_a_formula_allows_fits_the_words_before_it(tmp_path, one_s, words):
    cases = [scheduled("naive", gpus=1, step_s=one_s), scheduled("naive", step_s=0.95)]
    answer = answer_of(tmp_path, "pipeline", *cases, scheduled("gpipe", step_s=0.1))
    assert words in answer


def test_layers_of_naive_are_not_told_of_other_schedules(tmp_path):
    """Only tensor parallelism ran on 2 and 4 GPUs: "asks for 2 and 4 GPUs, too; 2 and 4 were"."""
    section, _ = shown_in(
        tmp_path,
        "axes: {gpus: [1, 2, 4], schedule: [naive, tensor]}\n" + PIPELINES,
        *(scheduled("tensor", gpus=g, step_s=0.6 / g) for g in (2, 4)),
    )
    assert "asks for" not in text_of(section)


def test_what_nobody_measured_of_another_depth_is_not_asked_of_this_one(tmp_path):
    """Of two depths one was measured, on 1 GPU: "asks for 1, 2, 2, 4 and 4 GPUs, too; only 1"."""
    text = "axes: {depth: [10, 20], gpus: [1, 2, 4]}\ntable: memory\n"
    section, _ = shown_in(tmp_path, text, *counts({1: 0.1}))
    assert "Depth 20: The table asks for 2 and 4 GPUs, too; only 1 was measured" in text_of(section)
    assert text_of(section).count("asks for") == 1


def test_one_gpu_that_nobody_measured_gets_its_layers(tmp_path):
    section, _ = shown_in(tmp_path, gpus_grid(1, 2), *counts({2: 0.1}))
    assert "1 GPU gets 20 of 20 layers, and data moves 0 times each way" in text_of(section)


def test_a_row_of_a_batch_that_was_not_compared_has_no_time(tmp_path):
    cases = [
        result(gpus=2, batch_size=b, step_s=s, emulated=b == 256)
        for b, s in ((16, 0.1), (64, 0.2), (256, 0.4))
    ]
    section, _ = shown_in(
        tmp_path,
        "axes: {batch_size: [16, 64, 256]}\ntable: step_time\nmodel: {depth: 20, gpus: 2}\n",
        *cases,
    )
    assert "A row of the batch takes 6.25 ms at batch 16, 3.12 ms at batch 64." in text_of(section)


def test_of_many_gpus_alike_the_peak_is_told_once():
    given = result("task3", depth=64, gpus=64, peaks=[100 * MIB] * 64)
    (text,) = [s for a in memory.answer([measured(given)]) for s in a.sentences if "peak" in s]
    assert text == "At the peak of a step, GPU by GPU from GPU 0: on 64 GPUs 100 MiB each."
    uneven = result("task3", depth=64, gpus=64, peaks=[100 * MIB] * 63 + [50 * MIB])
    (text,) = [s for a in memory.answer([measured(uneven)]) for s in a.sentences if "peak" in s]
    assert "on 64 GPUs between 50.0 MiB and 100 MiB each" in text.replace("50 MiB", "50.0 MiB")


def test_columns_of_gpus_stand_side_by_side(tmp_path):
    """With 1 GPU first, `data moves before layer` stood between GPU 0 and GPU 1."""
    section, _ = shown_in(
        tmp_path,
        "axes: {gpus: [1, 3]}\ntable: layer_map\nmodel: {depth: 20}\n",
        *counts({1: 0.1, 3: 0.1}),
    )
    of_gpus = [f"layers of GPU {gpu}" for gpu in range(3)]
    at = section.table.columns.index(of_gpus[0])
    assert section.table.columns[at : at + 3] == of_gpus


def test_the_fastest_that_is_the_cheapest_is_named_once(tmp_path):
    section, _ = shown_in(tmp_path, gpus_grid(1, 2), *counts({1: 0.1, 2: 0.02}))
    assert "A step is fastest and cheapest on 2 GPUs (20 ms, 40 GPU-ms)." in text_of(section)


def test_a_gain_beyond_a_thousand_has_no_digits(tmp_path):
    section, _ = shown_in(tmp_path, gpus_grid(1, 2), *counts({1: 1e-6, 2: 1e3}))
    assert "From 1 to 2 GPUs: over 1000 times as long for twice the GPUs" in text_of(section)
    assert "1000000" not in text_of(section)


def test_a_case_that_two_values_of_an_axis_share_is_asked_for_once(tmp_path):
    """Naive has no micro-batches: two numbers of them once asked for "4 and 4 GPUs, too"."""
    section, _ = shown_in(
        tmp_path,
        "axes: {gpus: [1, 2, 4], schedule: [naive, gpipe], micro_batches: [8, 16]}\n" + PIPELINES,
        *(scheduled("naive", gpus=g, step_s=0.3) for g in (1, 2)),
        scheduled("gpipe", gpus=2, micro_batches=8, step_s=0.2),
    )
    assert "The table asks for 4 GPUs, too; 1 and 2 were measured." in text_of(section)
