"""benchmarks/machine.py: what it calibrates, and what it predicts from that."""

import msgspec
import pytest

from benchmarks.machine import parse_arguments
from benchmarks.machines.batches import MACHINE, batches
from benchmarks.machines.chosen import chosen
from benchmarks.machines.earlier import measured_before
from benchmarks.machines.plan import parts_of
from benchmarks.machines.predicted import TO_DO, Predicted, write
from benchmarks.machines.seconds import seconds_of
from study.results.file import encode
from study.storage.store import Store
from study.values.calibrates import parse_calibrates
from tests.predict.made_up_calibration import calibration

sizes = pytest.mark.parametrize("gpus", [2, 4, 8])


@sizes
def test_calibrations_come_first_and_nothing_runs_before_the_last_has_ended(folders, gpus):
    everything = batches(gpus, on_cpus=False)
    planned = parts_of(everything, folders[gpus], gpus, 540.0, set())[0]
    calibrations = [one for one in planned if one.batch.calibrated]
    assert planned[: len(calibrations)] == calibrations
    following = planned[len(calibrations)]
    assert following.ends_s >= calibrations[-1].ends_s + seconds_of(following.cases[0])


@sizes
def test_all_that_can_be_predicted_is_calibrated(folders, gpus):
    everything = [*batches(gpus, on_cpus=False)]
    named = {grid for batch in everything for grid in batch.calibrated}
    others = {"nodes", "gpt-batch"}  # no link between nodes, batches that do not fit
    of_models = [b for b in everything if not b.calibrated and b.section != "homework"]
    assert named == {batch.grid for batch in of_models} - others
    for batch in (batch for batch in everything if batch.calibrated):
        one = parse_calibrates(batch.cases(folders[gpus])[0].calibrates, "")
        for case in (c for b in everything if b.grid in batch.calibrated
                     for c in b.cases(folders[gpus])):  # fmt: skip
            assert case.batch_size // case.parts in one.rows
            assert case.schedule != "tensor" or case.batch_size == one.rows[-1]  # it is split alone


def test_no_case_that_is_held_out_is_one_of_the_sample(folders):
    everything = [batch for batch in batches(4, on_cpus=False) if not batch.calibrated]
    held_out, others = (
        [c for b in everything if (b.section == "held-out") == wanted for c in b.cases(folders[4])]
        for wanted in (True, False)
    )
    assert len(held_out) >= 30
    assert not {*held_out} & {*others}


def test_sections_and_grids_can_be_chosen(tmp_path, monkeypatch):
    words = ["machine.py", "--gpus", "4", "--out", str(tmp_path), "--only", "held-out,gpt,graphs"]
    monkeypatch.setattr("sys.argv", words)
    grids = dict.fromkeys(batch.grid for batch in chosen(parse_arguments()))
    wide, *others = (f"held-out-{name}" for name in ("wide", "deep", "gpt", "replicas", "batch"))
    assert [*grids] == ["graphs", "gpt", wide, *others]


def test_calibrations_of_other_gpus_are_made_again(tmp_path):
    store = Store(tmp_path / "results", MACHINE)
    store.folder.mkdir(parents=True)
    made = calibration()
    made.environment.gpus[0] = msgspec.structs.replace(made.environment.gpus[0], uuid="30482642")
    store.result_path(made.case).write_bytes(encode(made))
    assert measured_before(tmp_path, ["GPU-30482642"]) == {(MACHINE, made.case)}
    assert measured_before(tmp_path, None) == {(MACHINE, made.case)}
    assert measured_before(tmp_path, ["GPU-26850255"]) == set()


def test_predictions_of_a_grid_are_counted_and_written_without_what_to_do(tmp_path):
    lines = [
        "case             what             step (90 % interval)  notes",
        "d24-g4-44e6fe89  GPipe on 4 GPUs  34.4 ms (32.7 to 36.1)  extrapolated",
        "d24-g4-db09c26f  ZB1P on 4 GPUs   at least 35.8 ms        launch-bound, extrapolated",
        "no prediction of d24-g4-c2f19016: dim: 8192 is not calibrated",
        "no prediction of d24-g4-9a1110e5 and 2 more: gradients: fused was not calibrated",
    ]
    found = [Predicted("graphs", lines), Predicted("task1", lines[3:4])]
    assert write(found, tmp_path)[2:] == ["| graphs | 1 | 1 | 4 |", "| task1 | 0 | 0 | 1 |"]
    assert [path.name for path in tmp_path.iterdir()] == ["graphs.txt"]
    long = "no prediction of d: why; run python submit.py --grid calibration --for /home/me/g.yaml"
    assert TO_DO.sub("", long) == "no prediction of d: why"
