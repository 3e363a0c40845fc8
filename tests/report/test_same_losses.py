"""First losses of one model agree, or a warning comes first; notes of the checks are said once."""

import pytest

from report.answers.of_model import losses
from report.data.load import load_results
from report.data.selection import select_tables
from report.formats.markdown import render
from report.make import make_document
from study.grids.file import load_grids
from tests.report.made_up import counts, measuring, write
from tests.report.made_up_conditions import case_of
from tests.report.made_up_models import GRID, answers, gpt, losing, profiled

NOTE = "BatchNorm normalises 8 rows at a time instead of 64: not the training of one GPU."


def document(folder, *results, tables=("model",)):
    """The document of these results, as grids of these kinds of tables show them."""
    folder.mkdir(exist_ok=True)
    write(folder / "results", "slurm", *results)
    profiles = load_results(folder / "results", pytest.fail)
    shown = []
    for table in tables:
        path = folder / f"{table}.yaml"
        path.write_text(GRID.format(gpus=[1, 2, 4], table=table))
        (grid,) = load_grids([str(path)])
        shown += select_tables(grid, profiles)
    return make_document(shown)


def test_losses_that_agree_are_said_to(tmp_path):
    text, _, _ = answers(tmp_path, losing(gpt("naive", 1), 4.8088), losing(gpt("gpipe", 2), 4.8104))
    assert "Yes: the loss of the first step is 4.8088 in 2 cases, within 0.033 %." in text


def test_losses_that_hardly_differ_have_a_power_of_ten(tmp_path):
    text, _, _ = answers(tmp_path, losing(gpt("naive", 1), 4.0), losing(gpt("gpipe", 2), 4.0000004))
    assert "within 1 × 10⁻⁵ %." in text


def test_losses_that_do_not_agree_are_a_warning_in_the_first_line(tmp_path):
    made = document(tmp_path, losing(gpt("naive", 1), 4.81), losing(gpt("gpipe", 2), 4.70))
    (section,) = made.sections
    assert section.facts[0].startswith(
        "WARNING: the first losses of one model do not agree: 4.7000 with GPipe with 8 "
        "micro-batches on 2 GPUs and 4.8100 with naive on 1 GPU."
    )
    assert "Yes: the loss" not in "".join(render(made.sections))


@pytest.mark.parametrize(("dtype", "apart", "agree"), [
    ("bfloat16", 0.9e-3, True), ("bfloat16", 1.2e-3, False),
    ("float32", 0.9e-4, True), ("float32", 1.2e-4, False),
])  # fmt: skip
def test_how_far_losses_may_be_apart_depends_on_the_number_format(dtype, apart, agree):
    known = [case_of(losing(gpt(s, g, dtype=dtype), 4.0 * (1 + x)))
             for s, g, x in (("naive", 1, 0), ("gpipe", 2, apart))]  # fmt: skip
    assert bool(losses.agreement(known)) is agree
    assert bool(losses.warnings(known)) is not agree


def test_a_loss_that_is_no_number_agrees_with_none():
    known = [case_of(losing(gpt("naive", 1), 4.0)), case_of(losing(gpt("gpipe", 2), float("inf")))]
    assert "no number with GPipe" in losses.warnings(known)[0]


@pytest.mark.parametrize("other", [
    {"seed": 1}, {"batch_size": 32}, {"dtype": "float32"}, {"seq_len": 512},
    {"gpu_name": None, "emulated": True},
])  # fmt: skip
def test_cases_of_another_model_batch_seed_or_hardware_need_not_agree(other):
    known = [case_of(losing(gpt("naive", 1), 4.0)), case_of(losing(gpt("gpipe", 2, **other), 5.0))]
    assert losses.warnings(known) == []
    assert losses.agreement(known) == []


def test_losses_of_weights_that_were_drawn_otherwise_are_not_compared_and_a_note_says_so():
    new = {gpus: losing(gpt("naive" if gpus == 1 else "gpipe", gpus), 5.0) for gpus in (1, 2)}
    new = {gpus: measuring(given, draw_version=2) for gpus, given in new.items()}
    before = [losing(gpt("gpipe", 4), 4.0), losing(gpt("1f1b", 4), 4.0)]
    before[1] = measuring(before[1], draw_version=1)  # which is what null means
    known = [case_of(given) for given in (*new.values(), *before)]
    assert losses.warnings(known) == []
    assert [text.partition(",")[0] for text in losses.agreement(known)] == [
        "Yes: the loss of the first step is 5.0000 in 2 cases",
        "Yes: the loss of the first step is 4.0000 in 2 cases",
    ]
    assert losses.APART in losses.notes(known)
    assert losses.notes(known[:2]) == losses.notes(known[2:]) == []


def test_a_linear_stack_and_a_loss_that_nobody_noted_tell_nothing():
    linear = [case_of(measuring(one, first_loss=one.case.gpus)) for one in counts({1: 1.0, 2: 1.0})]
    assert losses.warnings(linear) == []
    unknown = [case_of(losing(gpt(s, g), None)) for s, g in (("naive", 1), ("gpipe", 2))]
    assert losses.agreement(unknown) == []


def test_micro_batches_of_another_size_may_lose_otherwise_where_a_note_says_so():
    known = [
        case_of(losing(profiled(gpt("naive", 1), notes=(NOTE,)), 4.0)),
        case_of(losing(profiled(gpt("gpipe", 2), notes=(NOTE,)), 5.0)),
    ]
    assert losses.warnings(known) == []
    known += [case_of(losing(profiled(gpt("1f1b", 2), notes=(NOTE,)), 6.0))]
    assert losses.warnings(known)[0].endswith("The notes on the model may explain it.")


def test_a_model_that_draws_random_numbers_need_not_lose_alike_where_it_is_split():
    known = [
        case_of(losing(profiled(gpt(s, g), draws_random=True), loss))
        for s, g, loss in (("gpipe", 2, 4.0), ("1f1b", 2, 5.0))
    ]
    assert losses.warnings(known) == []
    assert losses.agreement(known) == []


def test_notes_are_in_the_first_lines_once(tmp_path):
    results = [profiled(gpt(s, g), notes=(NOTE,)) for s, g in (("naive", 1), ("gpipe", 2))]
    alone = document(tmp_path / "one", *results)
    text = "".join(render(alone.sections, alone.method, alone.about, alone.checks))
    assert text.count(NOTE) == 1
    assert alone.sections[0].facts[0] == f"NOTE: {NOTE}"
    both = document(tmp_path / "two", *results, tables=("model", "schedules"))
    text = "".join(render(both.sections, both.method, both.about, both.checks))
    assert text.count(NOTE) == 1
    assert text.index(NOTE) < text.index("## model")
    assert list(both.warnings) == [f"NOTE: {NOTE}"]


def test_a_note_names_its_model_where_another_model_has_other_notes():
    known = [
        case_of(profiled(gpt("naive", 1), notes=(NOTE,))),
        case_of(profiled(gpt("naive", 1, seq_len=512), notes=("It is random.", NOTE))),
    ]
    assert losses.notes(known) == [f"NOTE: {NOTE}", "NOTE: Tokens a row 512: It is random."]
