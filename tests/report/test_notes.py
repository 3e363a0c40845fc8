"""What stands beside a number that should not be cited without it."""

import msgspec
import pytest

from report.tables.notes import letters
from tests.report.made_up import measuring, result, write
from tests.report.shown import cells, details_of, only_section


def notes(folder, given):
    """The notes on the row of 2 GPUs, without their letters; empty where the table has none."""
    write(folder, "slurm", given, result(gpus=5))
    section = only_section(folder)
    lines = dict(line.split("  ", 1) for line in section.table.notes)
    marks = cells(section)[0].get("notes", "–")
    return " ".join(lines[mark] for mark in marks.split(", ") if mark != "–")


def with_state(given, **changes):
    """The result, with its first GPU in another state after the timed steps."""
    first, *others = given.environment.gpus
    state = msgspec.structs.replace(first.after, **changes)
    gpus = [msgspec.structs.replace(first, after=state), *others]
    environment = msgspec.structs.replace(given.environment, gpus=gpus)
    return msgspec.structs.replace(given, environment=environment)


def test_a_clock_below_what_the_gpus_can_reach_is_a_note_and_its_range_a_detail(tmp_path):
    given = with_state(result(), sm_clock_hz=1_000_000_000)
    first, *others = given.environment.gpus
    before = msgspec.structs.replace(first.before, sm_clock_hz=1_200_000_000)
    gpus = [msgspec.structs.replace(first, before=before), *others]
    environment = msgspec.structs.replace(given.environment, gpus=gpus)
    given = msgspec.structs.replace(given, environment=environment)
    assert notes(tmp_path, given) == "A GPU's clock was below 95 % of its highest."
    row, _ = cells(details_of(tmp_path, "task4")["Samples behind each step time"])
    assert row["SM clock"] == "1000 to 1200 of 1410 MHz"


def test_a_number_without_a_flaw_has_no_notes(tmp_path):
    assert notes(tmp_path, result()) == ""


def test_a_median_that_is_not_known_well_enough_says_what_stopped_it(tmp_path):
    given = measuring(result(), converged=False, stopped_by="time_limit")
    assert (
        notes(tmp_path, given)
        == "The interval is wider than ±0.5 %: the run ended by its time limit."
    )


def test_steps_that_were_to_be_counted_have_no_goal_to_miss(tmp_path):
    given = measuring(result(ci_half_width=0.0), converged=False, stopped_by="steps")
    write(tmp_path, "slurm", given)
    assert "wider than" not in str(only_section(tmp_path).table)


def test_far_out_steps_are_counted(tmp_path):
    steps = [*result().measurement.step_times_s, 5.0]
    write(tmp_path, "slurm", result(steps_s=steps))
    (row,) = cells(details_of(tmp_path, "task4")["Samples behind each step time"])
    assert (row["far-out steps"], row["timed steps"]) == ("1", "42")


def test_instruments_that_disturb_a_step_are_said(tmp_path):
    breakdown = result().measurement.breakdown
    slow = msgspec.structs.replace(breakdown, step_times_s=[0.3] * 3)
    found = notes(tmp_path, measuring(result(), breakdown=slow))
    assert found == (
        "Instrumented steps took over 50 % longer than timed ones: "
        "their parts are not those of a step."
    )


def test_warmup_too_short_to_tell_is_said(tmp_path):
    found = notes(tmp_path, measuring(result(), warmup_steady=None))
    assert found == "The warm-up was too short to tell whether it was steady."


def test_warmup_that_was_not_steady_is_said(tmp_path):
    assert (
        notes(tmp_path, measuring(result(), warmup_steady=False)) == "The warm-up was not steady."
    )


@pytest.mark.parametrize(
    ("changes", "note"),
    [
        ({"throttle_reasons": ["sw_power_cap"]}, ""),
        ({"throttle_reasons": ["hw_slowdown"]}, "A GPU was throttled: hardware slowdown."),
        ({"sm_clock_hz": 1_000_000_000}, "A GPU's clock was below 95 % of its highest."),
        ({"sm_clock_hz": None, "throttle_reasons": None}, "Clocks and throttling are unknown."),
    ],
)
def test_a_gpu_that_was_held_back_is_flagged(tmp_path, changes, note):
    assert notes(tmp_path, with_state(result(), **changes)) == note


def short(**keys):
    """A result whose run ended by its time limit."""
    return measuring(result(**keys), converged=False, stopped_by="time_limit")


def test_rows_share_the_letter_of_a_note(tmp_path):
    unsteady = measuring(short(gpus=2), warmup_steady=False)
    made = [unsteady, short(gpus=5)]
    write(tmp_path, "slurm", *made, result("task4", gpus=3))
    table = table_of(tmp_path, "axes: {gpus: [2, 3, 5], depth: [20]}\ntable: memory\n")
    assert [row.get("notes") for row in cells(table)] == ["a, b", "–", "a"]
    assert table.notes == [
        "a  The interval is wider than ±0.5 %: the run ended by its time limit.",
        "b  The warm-up was not steady.",
    ]


def test_a_note_on_all_rows_has_no_letter(tmp_path):
    write(tmp_path, "slurm", short(gpus=2), short(gpus=5))
    section = only_section(tmp_path)
    assert "notes" not in section.table.columns
    assert section.table.notes == [
        "The interval is wider than ±0.5 %: the run ended by its time limit."
    ]


@pytest.mark.parametrize("task", ["task1", "task3", "task5"])
def test_a_table_without_times_has_no_notes_on_timing(tmp_path, task):
    made = measuring(short(task=task), warmup_steady=False)
    write(tmp_path, "slurm", made)
    assert only_section(tmp_path, task).table.notes == []


def table_of(folder, text):
    """The table of a grid of one's own."""
    path = folder / "mine.yaml"
    path.write_text(text)
    return only_section(folder, str(path)).table


def test_there_are_letters_for_more_than_26_notes():
    marks, lines = letters([[f"note {n}"] for n in range(30)])
    assert (marks[0], marks[25], marks[26], marks[27]) == ("a", "z", "aa", "ab")
    assert lines[26] == "aa  note 26"
