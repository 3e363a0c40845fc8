"""The cases that calibrate for a grid: its model, its micro-batches, its schedules."""

import msgspec
import pytest

from predict.memory.fit import Fits
from predict.memory.gpu_size import GpuSize
from study.calibration.cases import TIME_LIMIT_S
from study.calibration.grid import NAME, all_calibrations, calibration_for, check_for
from study.errors import ConfigError
from study.grids.file import load_grids
from study.validation import check_together, make_case
from study.values.calibrates import parse_calibrates


def on_one_node(case):
    return 1


def made_for(*names, nodes_of=on_one_node, **overrides):
    grids = [grid.with_overrides(overrides) for grid in load_grids(list(names))]
    return calibration_for(grids, overrides, nodes_of).cases()


def test_a_grid_gets_one_gpu_and_a_pair_with_its_own_sizes():
    one, pair = made_for("pipeline")
    grid = load_grids(["pipeline"])[0].first_case()
    assert (one.gpus, pair.gpus) == (1, 2)
    for case in (one, pair):
        assert [getattr(case, key) for key in ("dim", "dtype", "optimizer")] == [
            getattr(grid, key) for key in ("dim", "dtype", "optimizer")
        ]
        assert case.time_limit_s == TIME_LIMIT_S


def test_the_rows_are_those_of_every_micro_batch_and_the_schedules_those_of_the_grid():
    cases = [case for grid in load_grids(["pipeline"]) for case in grid.cases()]
    wanted = parse_calibrates(made_for("pipeline")[0].calibrates, "here")
    assert set(wanted.rows) == {case.batch_size // case.parts for case in cases}
    assert set(wanted.schedules) == {case.schedule for case in cases}


GRID = """
table: schedules
axes: {schedule: [naive, 1f1b, zbv, tensor], gpus: [2, 4], micro_batches: [4],
       gradients: [separate, fused], batch_size: [64, 128]}
model: {depth: 16, dim: 32}
"""


def test_rows_are_asked_for_with_what_their_cases_do_with_them(tmp_path):
    path = tmp_path / "mixed.yaml"
    path.write_text(GRID)
    cases = load_grids([str(path)])[0].cases()
    wanted = parse_calibrates(made_for(str(path))[0].calibrates, "here")
    assert wanted.rows == (16, 32, 64, 128)
    for case in cases:  # what each of them needs is measured
        rows = case.batch_size // case.parts
        assert case.gradients in wanted.gradients_with(rows)
        assert case.gradients in wanted.gradients_under(case.schedule)
        assert case.schedule != "zbv" or wanted.is_in_two_parts(rows, case.gradients)
        assert case.schedule != "tensor" or (
            case.gpus in wanted.shares and rows in wanted.rows_of_shares
        )
    assert wanted.share_rows == (64, 128)  # and nothing else
    assert [wanted.gradients_with(rows) for rows in (16, 128)] == [
        ("separate", "fused"), ("separate",),
    ]  # fmt: skip
    in_two_parts = [wanted.is_in_two_parts(rows, "fused") for rows in wanted.rows]
    assert in_two_parts == [True, True, False, False]


def test_gradients_are_asked_for_under_the_schedules_that_have_them(tmp_path):
    path = tmp_path / "defaults.yaml"
    path.write_text(GRID.replace("gradients: [separate, fused], ", ""))
    wanted = parse_calibrates(made_for(str(path))[0].calibrates, "here")
    assert wanted.gradients == ("separate", "fused")  # of zero bubble alone
    assert {name: wanted.gradients_under(name) for name in wanted.schedules} == {
        "naive": ("separate",), "1f1b": ("separate",), "zbv": ("fused",), "tensor": ("separate",),
    }  # fmt: skip
    assert [wanted.is_in_two_parts(16, way) for way in wanted.gradients] == [False, True]


def test_a_calibration_that_asks_for_all_rows_alike_says_nothing_of_some():
    text = "rows=8,16 gradients=separate,fused schedules=zbv,tensor layers=2 shares=2"
    wanted = parse_calibrates(text, "here")
    assert all(wanted.is_in_two_parts(rows, "fused") for rows in wanted.rows)
    assert wanted.gradients_under("zbv") == wanted.gradients
    assert all(wanted.gradients_with(rows) == wanted.gradients for rows in wanted.rows)
    assert wanted.rows_of_shares == (16,)


def test_set_belongs_to_the_grid_that_is_calibrated_for():
    one, _ = made_for("task4", dim=1024, dtype="bfloat16")
    assert (one.dim, one.dtype) == (1024, "bfloat16")
    assert one.case_id != made_for("task4")[0].case_id


def test_a_time_limit_that_is_set_is_that_of_the_calibration():
    assert made_for("task4", time_limit_s=3.0)[0].time_limit_s == 3.0


def test_grids_of_one_model_share_a_calibration_and_others_have_their_own():
    assert len(made_for("task4", "task5")) == 2
    assert len(made_for("task4", "pipeline")) == 4


def test_a_pair_on_two_nodes_comes_where_a_case_needs_several():
    cases = made_for("pipeline", nodes_of=lambda case: 1 if case.gpus < 4 else 2)
    assert [(case.gpus, case.least_nodes) for case in cases] == [(1, 1), (2, 1), (2, 2)]
    assert len({case.case_id for case in cases}) == 3


def test_every_grid_of_models_has_cases_that_could_run():
    for name in ("gpt", "resnet", "smoke", "launch", "task1"):
        for case in made_for(name):
            check_together(case, name)
            assert case.in_processes is (case.gpus > 1)


def test_a_tied_model_can_be_calibrated_on_a_pair():
    one, pair = made_for("tiny-gpt", tied=True, schedule="1f1b", gpus=2, micro_batches=2)
    assert one.value("tied")
    check_together(pair, "here")


def test_a_program_has_nothing_to_calibrate(tmp_path):
    path = tmp_path / "own.yaml"
    path.write_text("axes: {gpus: [1]}\nprogram: {command: python train.py}\n")
    with pytest.raises(ConfigError, match=r"^--for: .*own.yaml runs a program"):
        made_for(str(path))


def test_an_unknown_grid_is_named_with_the_option():
    with pytest.raises(ConfigError, match=r"^--for: 'nosuch' is neither a file nor one of: gpt"):
        load_grids(["nosuch"], "--for")


@pytest.mark.parametrize(
    ("names", "calibrated", "words"),
    [
        ([], ["pipeline"], "--for: is of --grid calibration alone"),
        (["pipeline"], ["pipeline"], "--for: is of --grid calibration alone"),
        ([NAME], [], "--for: missing with --grid calibration"),
        ([NAME, "task1"], ["task1"], "--grid: calibration next to other grids"),
    ],
)
def test_for_and_its_grid_go_together(names, calibrated, words):
    with pytest.raises(ConfigError, match=words):
        check_for(names, calibrated, is_needed=True)


def test_what_is_only_looked_at_needs_no_for():
    check_for([NAME], [], is_needed=False)
    grid = all_calibrations()
    one, pair = made_for("task4")
    assert grid.contains(one)
    assert grid.contains(msgspec.structs.replace(pair, repeat=2))
    assert not grid.contains(load_grids(["task4"])[0].first_case())


def test_no_other_grid_has_the_case_of_a_calibration():
    for case in made_for("task4"):
        assert not any(grid.contains(case) for grid in load_grids(["task4", "task5"]))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("rows=8", "lacks gradients="),
        ("rows=x gradients=separate schedules=1f1b layers=1", "has rows=x"),
        ("rows=8 gradients=separate schedules=2f layers=1", "has schedules=2f"),
        ("rows=8,4 gradients=separate schedules=1f1b layers=1", "has rows= unsorted"),
        ("rows=8 rows=8 gradients=separate schedules=1f1b layers=1", "names a word twice"),
        ("rows=8 gradients=separate schedules=1f1b layers=1 speed=2", "has speed=, which is not"),
        ("rows=8 gradients=separate schedules=1f1b layers=1 nodes=2,3", "has 2 values of nodes="),
        ("rows=8 gradients=fused schedules=zbv layers=1 two_part_rows=4", "has two_part_rows=4, "),
        (
            "rows=8 gradients=fused schedules=zbv layers=1 fused_schedules=1f1b",
            "has fused_schedules=1f1b, which is not in schedules=",
        ),
    ],
)
def test_a_result_of_a_calibration_of_nothing_known_is_refused(text, problem):
    case = msgspec.structs.replace(make_case({"depth": 4, "gpus": 1}, "here"), calibrates=text)
    with pytest.raises(ConfigError, match=f"calibrates: .* {problem}"):
        check_together(case, "its case")


def test_what_is_parsed_is_written_again_as_it_was():
    text = made_for("pipeline")[0].calibrates
    assert parse_calibrates(text, "here").text == text


def test_a_calibration_fits_wherever_one_layer_does():
    (first, *_) = made_for("pipeline")
    fits = Fits(GpuSize(2**20, "a GPU of 1 MiB"), lambda case: pytest.fail("nothing to follow"))
    assert fits.of(first) is None
