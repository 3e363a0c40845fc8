"""The best over all schedules and GPUs: no sentence that the table of the same results refutes."""

import random
import re

import msgspec
import pytest

from report.answers.best import overall
from report.answers.pipelines.ranking import name_of
from report.data.load import load_results
from report.data.measured import measured
from report.data.selection import select_tables
from report.sections import make_section
from report.wording.names import schedule_name
from study.grids.file import load_grids
from tests.conftest import ROOT
from tests.report.made_up import MIB, measuring
from tests.report.made_up_models import GRID, gpt, out_of_memory
from tests.report.made_up_pipeline import peaks, scheduled
from tests.report.shown import cells, sentences, shown_in

LINEAR = (
    "axes: {gpus: [1, 2, 4], schedule: [naive, gpipe, 1f1b, tensor, ddp, fsdp]}\n"
    "table: schedules\nmodel: {depth: 20}\n"
    "pipeline: {micro_batches: 8}\n"
)
MODEL = GRID.replace("[naive, gpipe, 1f1b]", "[naive, gpipe, 1f1b, ddp, fsdp]")
MODEL = MODEL.format(gpus=[1, 2, 4], table="model")
STEPS = re.compile(r"([\d.]+) (µs|ms|s) \(([\d.]+) – ([\d.]+)\)")
UNITS = {"µs": 1e-6, "ms": 1e-3, "s": 1.0}
CPU = {"gpu_name": None, "emulated": True, "threads": 1, "cores": 2}


def linear(schedule, gpus, step_s, mib=100, spread=0.01, **keys):
    """A case of the grid `LINEAR`, with steps that vary by so much about the median."""
    if schedule in ("gpipe", "1f1b"):
        keys.setdefault("micro_batches", 8)
    made = scheduled(schedule, gpus=gpus, step_s=step_s, peaks=peaks(gpus, mib), **keys)
    factors = [1 + spread * (k - 20) / 20 for k in range(41)]
    random.Random(gpus).shuffle(factors)
    times = [step_s * factor for factor in factors]
    return measuring(made, step_times_s=times, median_ci_s=None)


def best(folder, *results, text=LINEAR):
    """The first answer below the table of these results, its rows, and the headlines."""
    section, headlines = shown_in(folder, text, *results)
    assert section.answers[0].question == overall.QUESTION
    found = section.answers[0].sentences
    assert headlines[0] == found[0]
    return " ".join(found), cells(section), headlines


def with_memory(given, gib):
    """The result, on GPUs of so much memory."""
    gpus = [msgspec.structs.replace(g, total_memory_bytes=gib * 2**30)
            for g in given.environment.gpus]  # fmt: skip
    environment = msgspec.structs.replace(given.environment, gpus=gpus)
    return msgspec.structs.replace(given, environment=environment)


def test_where_the_model_fits_on_one_gpu_data_parallelism_may_be_the_answer(tmp_path):
    text, _, headlines = best(
        tmp_path,
        linear("naive", 1, 0.0919, 5930),
        linear("1f1b", 4, 0.0338, 1600),
        linear("ddp", 4, 0.027, 6200),
        linear("fsdp", 4, 0.031, 1200),
    )
    assert text == (
        "The model fits on one GPU. DDP on 4 GPUs is the fastest (27.0 ms a step), one GPU "
        "is the cheapest (91.9 GPU-ms a step), and FSDP on 4 GPUs needs the least memory on its "
        "fullest GPU (1.17 GiB). DDP needs room for the whole model on every GPU. With FSDP each "
        "GPU keeps a shard of every parameter."
    )
    assert headlines[0] == text.partition(" DDP needs")[0]


def test_a_model_that_fits_on_no_gpu_is_not_said_to_suit_ddp(tmp_path):
    text, *_ = best(
        tmp_path,
        *(out_of_memory(s, g) for s, g in (("naive", 1), ("ddp", 2), ("ddp", 4))),
        gpt("gpipe", 4, 0.1),
        gpt("fsdp", 4, 0.12),
        text=MODEL,
    )
    assert text.startswith("On one GPU every case that was tried ran out of memory; GPipe with 8")
    assert "DDP, which keeps the whole model on every GPU, ran out of memory on 2 and 4" in text
    assert text.endswith("With FSDP each GPU keeps a shard of every parameter.")


def test_ddp_that_fits_with_a_part_of_the_batch_is_said_to(tmp_path):
    text, *_ = best(
        tmp_path,
        out_of_memory("naive", 1),
        gpt("gpipe", 4, 0.2),
        gpt("ddp", 4, 0.1),
        text=MODEL,
    )
    assert "DDP on 4 GPUs is the fastest and the cheapest (100 ms and 400 GPU-ms a step" in text
    assert text.endswith("fits on 4 GPUs: each trains only its part of the batch.")


@pytest.mark.parametrize("gib", [1, 64])
def test_a_model_whose_state_is_more_than_a_gpu_has_cannot_run_as_ddp(tmp_path, gib):
    # 20 layers of 4096 x 4097 in bfloat16, with their gradients: 1.25 GiB.
    two = [with_memory(linear(s, 4, 0.1, dim=4096), gib) for s in ("gpipe", "1f1b")]
    text, *_ = best(tmp_path, *two)
    assert text.startswith("On one GPU no case was measured; ")
    cannot = "cannot run: parameters, gradients and the optimizer's state take 1.25 GiB, and a GPU"
    assert (cannot in text) is (gib == 1)
    assert ("has no measurement" in text) is (gib == 64)


def test_one_that_is_not_told_apart_is_not_called_the_fastest_or_the_cheapest(tmp_path):
    text, *_ = best(
        tmp_path,
        linear("naive", 1, 0.2, 300),
        linear("gpipe", 2, 0.1, 150, spread=0.3),
        linear("ddp", 4, 0.101, 400, spread=0.3),
    )
    assert (
        "GPipe with 8 micro-batches on 2 GPUs and DDP on 4 GPUs are the fastest and cannot be told "
        "apart (100 to 101 ms a step), one GPU and GPipe with 8 micro-batches on 2 GPUs "
        "are the cheapest and cannot be told apart (200 GPU-ms a step)"
    ) in text
    assert "is the fastest" not in text


@pytest.mark.parametrize(
    ("other", "step_s", "named"),
    [
        ("tensor", 0.0995, "one GPU is the cheapest (100 GPU-ms a step)"),
        ("ddp", 0.1, "one GPU is the cheapest (100 GPU-ms a step)"),
        ("gpipe", 0.0995, "one GPU is the cheapest (100 GPU-ms a step)"),
        (
            "gpipe",
            0.0812,
            "GPipe with 8 micro-batches on 1 GPU is the cheapest (81.2 GPU-ms a step)",
        ),
    ],
)
def test_one_gpu_is_one_gpu_whatever_the_schedule(tmp_path, other, step_s, named):
    """Unless one in parts is known to be faster there; the answer on GPU counts says the same."""
    cases = [linear("naive", 1, 0.1), linear(other, 1, step_s), linear("1f1b", 4, 0.04)]
    section, headlines = shown_in(tmp_path, LINEAR, *cases)
    assert f", {named}, " in headlines[0]
    text = " ".join(sentences(section))
    assert f"cheapest on 1 GPU ({named.partition('(')[2].partition(' a step')[0]})" in text


def test_a_case_that_cannot_be_compared_is_not_left_out_in_silence(tmp_path):
    few = measuring(linear("gpipe", 4, 0.05), step_times_s=[0.05] * 3, median_ci_s=None)
    both = [linear("1f1b", 4, 0.1, 90), linear("ddp", 4, 0.2)]
    text, *_ = best(tmp_path, few, *both)
    assert "is the fastest and the cheapest of the 2 cases that can be compared (100 ms" in text
    tied = [linear("1f1b", 4, 0.1), linear("ddp", 4, 0.1)]
    text, *_ = best(tmp_path / "tied", few, *tied)
    assert "of the 2 cases that can be compared, and equally good (100 ms" in text
    text, *_ = best(tmp_path / "none", few, linear("ddp", 4, 0.2, gpu_name="NVIDIA H100"))
    assert "no case is known to be the fastest or the cheapest, and " in text


def test_emulated_gpus_win_nothing_and_are_said_to_be_left_out(tmp_path):
    real = [linear("naive", 1, 0.2), linear("ddp", 2, 0.12)]
    text, *_ = best(tmp_path, *real, linear("1f1b", 4, 0.01, **CPU))
    assert "DDP on 2 GPUs is the fastest" in text
    assert text.endswith(" 1 case on emulated GPUs is left out: their times say nothing of GPUs.")
    alone = [linear(s, 2, 0.1, **CPU) for s in ("ddp", "fsdp")]
    text, _, headlines = best(tmp_path / "cpu", *alone)
    assert text.endswith("cannot be told from these results: all GPUs were emulated by the CPU.")
    assert headlines == [text, *headlines[1:]]


def test_the_pool_of_a_cuda_graph_is_not_taken_for_little_memory(tmp_path):
    grid = "axes: {execution: [eager, cuda_graph], optimizer: [sgd]}\ntable: schedules\n"
    grid += "model: {depth: 20, gpus: 1}\n"
    cases = [linear("naive", 1, s, mib, execution=e)
             for e, s, mib in (("eager", 0.2, 500), ("cuda_graph", 0.1, 10))]  # fmt: skip
    text, *_ = best(tmp_path, *cases, text=grid)
    assert "One GPU (CUDA graphs) is the fastest and the cheapest" in text
    assert "memory" not in text.split("DDP")[0]


@pytest.mark.parametrize("seed", range(6))
def test_the_table_holds_what_the_sentence_says(tmp_path, seed):
    """Random steps and peaks, some wide: what is named alone has the least of its column."""
    draw = random.Random(seed)
    ways = [(s, g) for g in (1, 2, 4) for s in ("naive", "gpipe", "ddp", "fsdp")]
    results = [
        linear(s, g, draw.uniform(0.1, 0.3), draw.randint(100, 900), draw.choice([0.001, 0.3]))
        for s, g in ways
        if g > 1 or s == "naive"
    ]
    text, rows, _ = best(tmp_path, *results)
    of_name = {_row_name(row): row for row in rows if row["result"] == "ok"}
    assert set(of_name) == {_name(measured(result)) for result in results}
    clauses = _clauses(text)
    assert len(clauses) >= 2
    for what, names in clauses:
        for column in _columns(what):
            ranked = sorted(of_name, key=lambda name, c=column: _value(of_name[name], c))
            assert ranked[0] in names, (what, ranked[0], text)
            if len(names) == 1 and column == "step time (95 % CI)":
                ends = [_interval(of_name[name]) for name in ranked[:2]]
                assert ends[0][0] < ends[1][0]
                assert ends[0][1] < ends[1][1]


def _name(result):
    return f"{schedule_name(result.case)} on {name_of(result)}"


def _row_name(row):
    micro = " with 8 micro-batches" if row["schedule"] == "GPipe" else ""
    return f"{row['schedule']}{micro} on {row['GPUs']} GPU{'s' if row['GPUs'] != '1' else ''}"


def _clauses(text):
    """Each clause's claim, with all names in front of it, GPU counts taken from the next `on`."""
    found = []
    claims = r"(is|are) the fastest and the cheapest|(is|are) the (fastest|cheapest)|needs? the"
    at = text.index(". ") + 2
    for claim in re.finditer(claims, text):
        names = text[at : claim.start()]
        if re.match(r"\d+ cases", names.removeprefix("and ")):
            at = text.index(")", claim.end()) + 1
            continue
        found.append((claim.group(), _names(names)))
        at = text.index(")", claim.end()) + 1
    return found


def _names(text):
    """`DDP and FSDP on 2 GPUs and one GPU` as three names."""
    names = []
    text = re.sub("[Oo]ne GPU", "naive on 1 GPU", text.replace("Naive", "naive"))
    for part in re.finditer(r"(.+?) (on \d GPUs?)(?:, | and |$)", text.strip(", ").strip()):
        for schedule in re.split(r", | and ", part.group(1).removeprefix("and ")):
            names.append(f"{schedule} {part.group(2)}")
    return names


def _columns(claim):
    return [
        *(["step time (95 % CI)"] if "fastest" in claim else []),
        *(["cost of a step"] if "cheapest" in claim else []),
        *(["peak memory"] if "need" in claim else []),
    ]


def _value(row, column):
    number, unit, *_ = row[column].split()
    sizes = {"MiB": MIB, "GiB": 2**30} | {f"GPU-{name}": scale for name, scale in UNITS.items()}
    return float(number) * (sizes | UNITS)[unit]


def _interval(row):
    _, unit, low, high = STEPS.match(row["step time (95 % CI)"]).groups()
    return float(low) * UNITS[unit], float(high) * UNITS[unit]


def test_what_a_table_does_not_ask_for_is_not_called_unknown(tmp_path):
    """Another table of the document may have measured it."""
    grid = "axes: {schedule: [gpipe, 1f1b]}\ntable: schedules\n"
    grid += "model: {depth: 20, gpus: 4}\npipeline: {micro_batches: 8}\n"
    text, *_ = best(tmp_path, *(linear(s, 4, 0.1) for s in ("gpipe", "1f1b")), text=grid)
    assert text.startswith(
        "GPipe and 1F1B (8 micro-batches each) on 4 GPUs are the fastest and the"
    )
    assert text.endswith(
        "The table has no case on one GPU and none of DDP, which keeps the whole model on every "
        "GPU."
    )


def test_layers_that_run_again_are_a_choice_like_any_other(tmp_path):
    grid = "axes: {recompute: [none, layers], gpus: [1, 2]}\ntable: schedules\n"
    grid += "model: {depth: 20}\ntrain: {optimizer: sgd}\n"
    cases = [
        linear("naive", 1, 0.1, 900),
        linear("naive", 1, 0.13, 300, recompute="layers"),
        linear("naive", 2, 0.11, 500),
        linear("naive", 2, 0.14, 150, recompute="layers"),
    ]
    text, *_ = best(tmp_path, *cases, text=grid)
    assert text.startswith(
        "The model fits on one GPU. One GPU (recompute none) is the fastest and the cheapest (100 "
        "ms and 100 GPU-ms a step), and naive on 2 GPUs (recompute layers) needs the least"
    )


def test_settings_have_a_sentence_each_and_share_what_is_the_same(tmp_path):
    grid = "axes: {gpus: [1, 2], schedule: [naive, ddp], optimizer: [sgd, adam]}\n"
    grid += "table: schedules\nmodel: {depth: 20}\n"
    cases = [linear(s, g, t / g, optimizer=o)
             for s, g, t in (("naive", 1, 0.1), ("ddp", 2, 0.12))
             for o in ("sgd", "adam")]  # fmt: skip
    section, headlines = shown_in(tmp_path, grid, *cases)
    told = section.answers[0].sentences
    starts = [f"Optimizer {o}: The model fits on one GPU. DDP on 2" for o in ("sgd", "adam")]
    assert [text[: len(start)] for text, start in zip(told, starts, strict=False)] == starts
    assert told[2:] == ["DDP needs room for the whole model on every GPU."]
    assert headlines[0] == told[0]


def test_the_quickest_on_other_hardware_beats_nobody(tmp_path):
    """It can be compared with no other, and the others can be compared."""
    two = [linear("1f1b", 4, 0.1, 90), linear("ddp", 4, 0.2)]
    text, *_ = best(tmp_path, linear("fsdp", 2, 0.06, gpu_name="NVIDIA H100"), *two)
    assert "FSDP on 2 GPUs has the shortest step and the lowest cost (60.0 ms and" in text
    assert "is the fastest" not in text
    few = [measuring(linear(s, 4, 0.05), step_times_s=[0.05] * 3, median_ci_s=None)
           for s in ("ddp", "fsdp")]  # fmt: skip
    text, *_ = best(tmp_path / "few", *few)
    assert "no case is known to be the fastest or the cheapest, and " in text


@pytest.mark.parametrize(
    ("grid", "reason"),
    [
        (
            "gpt",
            "Not compared on 2 GPUs: GPipe, ZB1P and ZBV (each with 8 micro-batches, balanced ",
        ),
        ("gpt-batch", "is known to be the fastest or the cheapest (there are only 7 timed steps "),
    ],
)
def test_cases_of_the_sample_that_are_not_compared_have_their_reason(grid, reason):
    profiles = load_results(ROOT / "docs/example/results", pytest.fail)
    (chosen,) = load_grids([str(ROOT / f"docs/example/grids/{grid}.yaml")])
    (table,) = select_tables(chosen, profiles)
    text = " ".join(line for answer in make_section(table).answers for line in answer.sentences)
    assert reason in text
    assert text.count("cases that can be compared") <= 1
