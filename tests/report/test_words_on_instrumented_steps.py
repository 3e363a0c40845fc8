"""What instrumented steps are compared with: plain steps between them, or timed ones without."""

import msgspec
import pytest

from report.analysis.time_use import instrumentation_warning
from report.answers import memory
from report.data.measured import measured
from tests.report.made_up import measuring, result, write
from tests.report.shown import only_section

TIMED_S = 0.1


def instrumented(times, plain, **keys):
    """The result, with these multiples of a timed step as instrumented and as plain ones."""
    given = result(step_s=TIMED_S, **keys)
    breakdown = msgspec.structs.replace(
        given.measurement.breakdown,
        step_times_s=[times * TIMED_S] * 3,
        plain_step_times_s=None if plain is None else [plain * TIMED_S] * 3,
    )
    return measuring(given, breakdown=breakdown)


@pytest.mark.parametrize(
    ("times", "plain", "words"),
    [
        (1.1, 3.0, "63 % less time than the plain steps between them, and these 3 times as long "
         "as timed ones"),
        (2.0, 1.0, "2 times as long as the plain steps between them"),
        (2.0, None, "2 times as long as timed ones"),
        (0.4, 1.0, "60 % less time than the plain steps between them"),
    ],
)  # fmt: skip
def test_a_warning_names_the_steps_that_instrumented_ones_are_compared_with(times, plain, words):
    given = measured(instrumented(times, plain, gpus=2))
    warning = f" These shares say little: instrumented steps took {words}."
    assert instrumentation_warning(given) == warning
    used = " ".join(memory.answer([given])[0].sentences)
    assert f"cannot be told from these results: instrumented steps took {words}." in used


@pytest.mark.parametrize(
    ("times", "plain", "note"),
    [
        (1.1, 3.0, "The plain steps between instrumented ones took over 50 % longer than timed "
         "ones: the parts of instrumented steps may not be those of a timed one."),
        (3.0, 3.0, "The plain steps between instrumented ones took over 50 % longer than timed "
         "ones: the parts of instrumented steps may not be those of a timed one."),
        (2.0, 1.0, "Instrumented steps took over 50 % longer than the plain steps between them: "
         "their parts are not those of a step."),
        (0.4, 1.0, "Instrumented steps took over 50 % less time than the plain steps between "
         "them: their parts are not those of a step."),
        (2.0, None, "Instrumented steps took over 50 % longer than timed ones: their parts are "
         "not those of a step."),
        (1.1, 1.0, None),
    ],
)  # fmt: skip
def test_a_note_blames_instruments_only_where_plain_steps_are_like_timed_ones(
    tmp_path, times, plain, note
):
    write(tmp_path, "slurm", instrumented(times, plain), result(gpus=5))
    assert only_section(tmp_path).table.notes == ([f"a  {note}"] if note else [])
