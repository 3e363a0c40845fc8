"""`python -m predict`: what it says of large pipelines, and of numbers that are impossible."""

import re

import pytest

from predict.simulation.command import answer
from study.errors import ConfigError
from study.schedules import SCHEDULES


def test_1024_stages_and_4096_micro_batches_are_simulated_under_every_schedule(run):
    done = run("-m", "predict", "--stages", 1024, "--micro-batches", 4096)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("A simulation, not a measurement: 1,024 equal stages")
    rows = dict(re.findall(r"^\| ([\w ]+?) \|.*\| ([\d.]+) % \|", done.stdout, re.MULTILINE))
    expected = {
        entry.label: f"{100 * entry.bubble(1024 // v, 4096, v):.1f}"
        for entry, v in ((each, 2 if each.is_chunked else 1) for each in SCHEDULES.values())
        if entry.is_pipeline
    }
    assert rows == expected


def test_times_are_those_of_the_options():
    seconds = "--forward-ms 2 --input-gradient-ms 2.5 --weight-gradient-ms 0.5 --optimizer-ms 7"
    said = answer(f"--stages 4 --micro-batches 8 --schedule 1f1b {seconds}".split())
    assert "| 1F1B | 4 | 1 | 62.0 ms |" in said  # (8 + 3) (2 + 2.5 + 0.5) + 7
    assert "| GPipe" not in said


def test_schedules_that_cannot_have_these_numbers_are_left_out_with_the_reason():
    said = answer(["--stages", "7", "--micro-batches", "14"])
    assert "| ZB1P | 7 |" in said
    assert "Left out: ZBV: --stages 7 with 2 stages on each GPU; use 6.\n" in said


def test_a_bad_option_is_one_line_and_exit_code_2(run):
    done = run("-m", "predict", "--stages", "0", "--micro-batches", "4")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "error: --stages: 0 is not a positive whole number; "
        "write e.g. --stages 1024 --micro-batches 4096\n"
    )


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("", "--stages: is missing"),
        ("--stages 5", "--micro-batches: is missing"),
        ("--stages x --micro-batches 4", "--stages: x is not a positive whole number"),
        ("--stages ² --micro-batches 4", "--stages: ² is not a positive whole number"),
        ("--stages 4 --micro-batches 1e3", "--micro-batches: 1e3 is not"),
        ("--stages 999999999 --micro-batches 4", "is more than 100,000; use fewer"),
        ("--stages 99999 --micro-batches 99999", "more than 100,000,000 forwards"),
        ("--stages 8 --micro-batches 8 --schedule zbx", "--schedule: zbx is unknown here; use"),
        ("--stages 8 --micro-batches 8 --schedule naive", "--schedule: naive is unknown here"),
        ("--stages 7 --micro-batches 14 --schedule zbv", "--stages: 7 with 2 stages .* use 6"),
        ("--stages 8 --micro-batches 2 --schedule 1f1b", "2 with schedule 1f1b on 8 GPUs; use 8"),
        ("--stages 4 --micro-batches 9 --schedule zero_bubble", "9 with .* use 10"),
        ("--stages 8 --micro-batches 8 --chunks 4 --schedule zbv", "--chunks: 4 .* use 2"),
        ("--stages 8 --micro-batches 8 --chunks 1001", "--chunks: 1001 is more than 1,000"),
        ("--stages 8 --micro-batches 8 --forward-ms nan", "--forward-ms: nan is not positive"),
        ("--stages 8 --micro-batches 8 --forward-ms 0", "--forward-ms: 0 is not positive"),
        ("--stages 8 --micro-batches 8 --transfer-ms -1", "--transfer-ms: -1 is not 0 or more"),
        ("--stages 8 --micro-batches 8 --transfer-ms fast", "--transfer-ms: fast is no number"),
    ],
)
def test_impossible_options_are_named_with_what_to_write(options, said):
    with pytest.raises(ConfigError, match=said):
        answer(options.split())
