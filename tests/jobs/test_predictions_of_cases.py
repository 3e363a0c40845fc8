"""Predictions at the command line, in the ledger from submission on, and beside what ran."""

import os
from dataclasses import replace

import msgspec
import pytest

from jobs.executors import executor_of
from jobs.launch import show_dry_run
from jobs.order import SubmitOrder
from jobs.plan import RerunPolicy
from jobs.predictions import of_plan
from jobs.preview.show import show_predictions
from jobs.profile import Profile
from jobs.terminal.messages import print_predicted
from jobs.terminal.next_steps import CommandLine
from predict.memory.fit import Fits, Layers, in_gib
from study.calibration.grid import calibration_for
from study.command_line.choices import each_choice, without_lists
from study.errors import ConfigError
from study.grids.grid import Grid
from study.results.file import encode
from study.storage.ledger import Submission, append, read
from study.storage.store import Store
from tests.predict.made_up_calibration import MODEL, calibration
from tests.slurm.desk import stand_in

AXES = {"gpus": (1, 2), "schedule": ("gpipe", "zbv"), "micro_batches": (8,)}
ON_CPU = {"emulated": True, "gpus": [], "torch": "2.11.0"}


def calibrate(store, *results):
    """Put calibrations where their jobs would."""
    store.folder.mkdir(parents=True, exist_ok=True)
    for made in results or (calibration(**ON_CPU), calibration(2, **ON_CPU)):
        store.result_path(made.case).write_bytes(encode(made))


def order(folder, axes=None, name="local", **setting):
    keys = MODEL | {"batch_size": 8192, "gradients": "separate"} | setting
    grid = Grid("g", "g.yaml", "g", "schedules", axes or AXES, keys)
    profile = Profile(name, "cluster.yaml: profiles.local", "local", "cpu")
    executor = executor_of(profile, Store(folder, name))
    return SubmitOrder([grid], {}, executor, RerunPolicy(), CommandLine(["g"]))


def test_predictions_are_rows_with_a_choice_and_a_condition_and_submit_nothing(tmp_path, capsys):
    made = order(tmp_path)
    calibrate(made.store)
    assert show_predictions(made, "time") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[:3] == ["case", "what", "step"]
    rows = {line.split()[0]: line for line in lines[1:5]}
    assert set(rows) == {each.case_id for grid in made.grids for each in grid.cases()}
    assert sum("best" in row for row in rows.values()) == 2
    assert lines[5].startswith(
        "For the shortest step ask for ZBV with 8 micro-batches on 2 GPUs or "
    )
    assert lines[6].startswith("EMULATED: calibrated without GPUs.")
    assert lines[7].startswith("Holds on the machine of calibration-d8-g1-")
    assert "the CPU, where GPUs are emulated" in lines[7]
    assert "A calibration is older than 30 days" not in lines[9]
    assert lines[-1] == "Predicted: nothing was submitted."
    assert not made.store.submissions.exists()


def test_without_a_calibration_there_is_one_line_and_the_command_that_helps(tmp_path, capsys):
    assert show_predictions(order(tmp_path), None) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    assert "and 3 more: no calibration of one GPU is there; run " in said.err
    assert "python submit.py --grid calibration --for g" in said.err


NEVER = {
    "a GPU": (
        {"execution": ("eager", "cuda_graph"), "gpus": (2,), "schedule": ("gpipe",)},
        {},
        "execution: cuda_graph needs a GPU; cluster.yaml: profiles.local has device: cpu",
    ),
    "nodes": (
        {"gpus": (2, 4), "schedule": ("naive",)},
        {"executor": "slurm", "gpus_per_node": 2},
        "gpus: 4 is more than the 2 GPUs of a node, and schedule: naive runs on one; use fewer "
        "GPUs, another profile or another schedule (cluster.yaml: profiles.local)",
    ),
}


@pytest.mark.parametrize("lacks", NEVER)
def test_a_case_that_the_profile_can_never_run_is_predicted_with_a_note(lacks, tmp_path, capsys):
    axes, keys, why = NEVER[lacks]
    made = order(tmp_path, axes)
    calibrate(made.store)
    profile = msgspec.structs.replace(made.profile, **keys)
    made = replace(made, executor=executor_of(profile, made.store))
    *_, never = made.grids[0].cases()
    assert show_predictions(made, None) == 0
    said = capsys.readouterr()
    assert said.err == f"note: no job of profile local can run {never.case_id}: {why}\n"
    assert f"{never.case_id}  " in said.out


def test_cases_without_a_prediction_are_named_beside_those_that_have_one(tmp_path, capsys):
    made = order(tmp_path)
    calibrate(made.store, calibration(**ON_CPU))
    assert show_predictions(made, None) == 0
    said = capsys.readouterr()
    assert "no calibration of two GPUs is there" in said.err
    assert len([line for line in said.out.splitlines() if line.startswith("d8-g1-")]) == 2


def test_a_dry_run_has_the_same_rows_where_a_calibration_fits(tmp_path, capsys):
    made = order(tmp_path)
    assert show_dry_run(made) == 0
    assert "90 % interval" not in capsys.readouterr().out
    again = order(tmp_path)
    calibrate(again.store)
    assert show_dry_run(again) == 0
    assert "step (90 % interval)" in capsys.readouterr().out


def test_a_plan_has_the_memory_of_the_cut_by_calibrated_times(tmp_path, capsys):
    axes = {"gpus": (2,), "schedule": ("gpipe",), "micro_batches": (8,)}
    made = order(tmp_path, axes, balance="time")
    (case,) = made.grids[0].cases()
    assert made.fits.of(case).words.startswith("about ")
    again = order(tmp_path, axes, balance="time")
    layers = calibration(**ON_CPU).calibration.layers
    slow_loss = tuple(
        msgspec.structs.replace(t, seconds=2e-3, low_s=2e-3, high_s=2e-3) if t.kind == 2 else t
        for t in layers
    )
    calibrate(again.store, calibration(layers=slow_loss, **ON_CPU), calibration(2, **ON_CPU))
    found = again.predictor.of(case)
    assert found.layers_per_stage == (5, 3)
    assert again.fits.of(case).words == in_gib(found.fullest_bytes)
    assert again.fits.of(case).words != made.fits.of(case).words.removeprefix("about ")


@pytest.mark.parametrize("off", [0.0, 0.1])
def test_peaks_are_about_where_those_of_the_plan_are(tmp_path, capsys, off):
    made = order(tmp_path, {"gpus": (1, 2)})
    calibrate(made.store)
    vars(made)["fits"] = Fits(None, lambda case: Layers(off=off))
    show_predictions(made, None)
    for case in made.grids[0].cases():
        is_about = made.fits.of(case).words.startswith("about ")
        assert is_about == (off > 0)
    assert capsys.readouterr().out.count("  about 0.") == 2 * is_about


def test_a_calibration_of_before_is_read_and_its_age_is_told(tmp_path, capsys):
    made = order(tmp_path)
    old = {"finished_at": "2020-01-01T10:00:00.000+00:00"}
    calibrate(made.store, calibration(**ON_CPU, **old), calibration(2, **ON_CPU, **old))
    show_predictions(made, None)
    assert "A calibration is older than 30 days" in capsys.readouterr().out


def test_files_that_are_no_calibrations_are_passed_over(tmp_path, capsys):
    made = order(tmp_path)
    calibrate(made.store)
    (made.store.folder / "calibration-d8-g1-00000000.json").write_text("{")
    assert show_predictions(made, None) == 0
    said = capsys.readouterr()
    assert "Holds on the machine" in said.out
    assert said.err.startswith(
        f"note: {made.store.folder}/calibration-d8-g1-00000000.json is not a "
    )
    assert said.err.endswith("; left out\n")


def test_a_calibration_whose_file_is_spoilt_is_named_where_it_is_missed(tmp_path, capsys):
    made = order(tmp_path)
    slow = calibration(**ON_CPU).calibration.layers
    slow = tuple(msgspec.structs.replace(t, seconds=1e9, low_s=1e9, high_s=1e9) for t in slow)
    calibrate(made.store, calibration(layers=slow, **ON_CPU))
    assert show_predictions(made, None) == 2
    note, refusal = capsys.readouterr().err.splitlines()
    assert note.endswith(".json has a time of 1000000000.0 s, which nothing takes; left out")
    assert "no calibration of one GPU is there; run python submit.py --grid calib" in refusal


def spoil(made, gpus):
    """Cut off the file of a calibration that the proposed command makes, and return its id."""
    wanted = calibration_for(made.grids, {}, lambda case: 1).cases()
    (its,) = [case for case in wanted if case.gpus == gpus]
    made.store.folder.mkdir(parents=True, exist_ok=True)
    made.store.result_path(its).write_text('{"case":')
    return its.case_id


@pytest.mark.parametrize("there", ["nothing", "another model", "other rows", "other layers"])
def test_the_command_for_a_calibration_that_cannot_be_read_replaces_it(there, tmp_path, capsys):
    made = order(tmp_path)
    of_rows = "rows=512 gradients=separate schedules=1f1b layers=8"
    others = {
        "another model": {"optimizer": "adam"},
        "other rows": {"layers": (), "batch_size": 512, "calibrates": of_rows},
        "other layers": {"layers": calibration().calibration.layers[:1], "batch_size": 512},
    }
    if there in others:
        calibrate(made.store, calibration(**ON_CPU, **others[there]))
    spoilt = spoil(made, 1)
    assert show_predictions(made, None) == 2
    _, line = capsys.readouterr().err.splitlines()
    assert line.endswith(
        f": {spoilt} cannot be read; run python submit.py --grid calibration --for g --force"
    )


def test_a_pair_that_cannot_be_read_is_missed_on_several_gpus_alone(tmp_path, capsys):
    made = order(tmp_path)
    calibrate(made.store, calibration(**ON_CPU))
    spoilt = spoil(made, 2)
    assert show_predictions(made, None) == 0
    said = capsys.readouterr()
    assert f"and 1 more: {spoilt} cannot be read; run " in said.err
    assert len([line for line in said.out.splitlines() if line.startswith("d8-g1-")]) == 2


def test_a_calibration_of_another_grid_that_cannot_be_read_is_not_replaced(tmp_path, capsys):
    made = order(tmp_path)
    spoil(order(tmp_path, batch_size=512), 1)
    assert show_predictions(made, None) == 2
    assert capsys.readouterr().err.endswith(
        "no calibration of one GPU is there; run python submit.py --grid calibration --for g\n"
    )


def test_a_plan_says_of_a_calibration_that_cannot_be_read(tmp_path, capsys):
    made = order(tmp_path)
    spoilt = spoil(made, 1)
    for each in made.plan(record=False).planned:
        assert each.no_prediction.startswith(f"{spoilt} cannot be read; run ")
    show_dry_run(order(tmp_path))
    assert f"{spoilt} cannot be read; run " in capsys.readouterr().err


def test_a_calibration_says_how_to_predict_what_it_is_for():
    sets = ["dim=64", "time_limit_s=90"]
    typed = CommandLine(["calibration"], sets, calibrated=["g.yaml"], choices=["gpus=2,4"])
    line = "python submit.py --grid g.yaml --set dim=64 --set gpus=2,4 --predict"
    assert typed.predict() == line


def test_several_values_of_a_key_are_all_looked_at():
    texts = ["gpus=2,4", "depth=8", "balance=4,4"]
    choices = each_choice(texts)
    assert choices == [["gpus=2", "depth=8", "balance=4,4"], ["gpus=4", "depth=8", "balance=4,4"]]
    assert without_lists(texts) == ["depth=8", "balance=4,4"]
    assert each_choice([]) == [[]]
    with pytest.raises(ConfigError, match="1024 combinations of values are more than 1000"):
        each_choice([f"{key}=1,2,3,4" for key in "abcde"])


def test_the_command_that_calibrates_has_every_value_and_a_time_of_its_own():
    sets = {"sets": ["dim=1024", "time_limit_s=5"], "choices": ["batch_size=64,128"]}
    assert CommandLine(["g"], **sets).calibrate() == (
        "python submit.py --grid calibration --for g --set dim=1024 --set batch_size=64,128"
    )


def test_a_plan_that_is_too_long_is_not_predicted_and_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(of_plan, "MOST", 3)
    made = order(tmp_path)
    calibrate(made.store)
    planned = made.plan(record=False).planned
    assert {each.prediction for each in planned} == {None}
    assert {each.no_prediction for each in planned} == {
        "a plan of more than 3 cases is not predicted"
    }


def said_of(made, capsys):
    """Return what a submission says of its predictions."""
    print_predicted(made.plan(record=False).planned)
    return capsys.readouterr().out.splitlines()


def test_a_submission_without_predictions_says_why_and_promises_no_table(tmp_path, capsys):
    made = order(tmp_path, optimizer="adam")
    calibrate(made.store)
    count, why = said_of(made, capsys)
    assert count == "Predicted: 0 of 4 cases."
    assert "and 3 more: optimizer: adam is not calibrated (optimizer: sgd is); run " in why
    assert why.endswith("; run python submit.py --grid calibration --for g")


def test_a_submission_says_why_some_of_its_cases_are_not_predicted(tmp_path, capsys):
    made = order(tmp_path, {"gpus": (1, 2), "batch_size": (8192, 512)}, micro_batches=8,
                 schedule="gpipe")  # fmt: skip
    calibrate(made.store, calibration(**ON_CPU))
    count, why, others = said_of(made, capsys)
    assert count == "Predicted: 1 of 4 cases; collect.py shows them beside results."
    assert why.startswith("no prediction of d8-g1-")
    assert others == "--predict shows 1 more reason."


def test_a_submission_that_is_all_predicted_or_never_calibrated_gives_no_reason(tmp_path, capsys):
    assert said_of(order(tmp_path), capsys) == []
    made = order(tmp_path)
    calibrate(made.store)
    (count,) = said_of(made, capsys)
    assert count.startswith("Predicted: 4 of 4 cases; ")


def test_a_line_of_an_older_ledger_has_no_prediction(tmp_path):
    ledger = tmp_path / "submissions.jsonl"
    made = order(tmp_path)
    calibrate(made.store)
    (each, *_) = made.plan(record=False).planned
    line = Submission(
        case=each.case, case_id=each.case.case_id, grid="g", overrides={}, executor="local",
        job_id="vm:1", job_name="mp", log="x.log", requested_gpus=1, timeout_min=None,
        submitted_at="2030", prediction=each.prediction,
    )  # fmt: skip
    append(ledger, line)
    (event,), broken = read(ledger)
    assert event.prediction == each.prediction
    assert not broken
    values = msgspec.json.decode(ledger.read_bytes())
    del values["prediction"], values["no_prediction"]
    ledger.write_bytes(msgspec.json.encode(values) + b"\n")
    (event,), broken = read(ledger)
    assert (event.prediction, event.no_prediction, broken) == (None, "", 0)


GRID = (
    "table: memory\naxes: {gpus: [2], batch_size: [8192, 777]}\n"
    "model: {depth: 8, dim: 1024}\ntrain: {dtype: bfloat16}\n"
    "measure: {warmup_steps: 1, steps: 3}\n"
)


@pytest.mark.long
def test_a_prediction_is_kept_at_submission_and_shown_beside_what_was_measured(run, tmp_path):
    grid, store = tmp_path / "g.yaml", Store(tmp_path / "r", "local")
    grid.write_text(GRID)
    calibrate(store)
    where = ("--grid", grid, "--results", tmp_path / "r")
    done = run("submit.py", *where, "--cluster", "local", env=os.environ | stand_in())
    assert done.returncode == 0, done.stderr
    assert "Predicted: 1 of 2 cases; collect.py shows them" in done.stdout
    events, _ = read(store.submissions)
    lines = {each.case: each for each in events if isinstance(each, Submission)}
    with_one, without = sorted(lines.values(), key=lambda each: -each.case.batch_size)
    assert with_one.prediction.low_s < with_one.prediction.step_s < with_one.prediction.high_s
    assert len(with_one.prediction.calibrations) == 2
    assert without.prediction is None
    assert "777 rows are not calibrated (512, " in without.no_prediction

    first = run("collect.py", *where)
    assert first.returncode == 0, first.stderr
    shown = first.stdout
    assert "**Predicted before the jobs ran, and measured**" in shown
    assert "1 without a prediction: batches of 777 rows are not calibrated" in shown
    assert "Error of 1 predicted step: " in shown
    assert "Measured within the 90 % interval: 0 of 1." in shown  # the stand-in measures 100 ms
    # Another calibration now changes nothing of what was predicted.
    calibrate(store, calibration(**ON_CPU, layers=()), calibration(2, **ON_CPU))
    assert run("collect.py", *where).stdout == shown
    # The same calibration as if it had been on another torch than the job.
    calibrate(store, calibration(**ON_CPU | {"torch": "2.10.0"}), calibration(2, **ON_CPU))
    assert "1 not counted: calibrated and measured differ in torch (2.10.0 and 2.11.0)." in (
        run("collect.py", *where).stdout
    )


def test_a_choice_without_predictions_is_refused(run):
    done = run("submit.py", "--grid", "task4", "--best", "time")
    assert done.returncode == 2
    assert done.stderr == "error: --best: has no effect without --predict; add it\n"
    with_more = run("submit.py", "--grid", "task4", "--predict", "--force")
    assert with_more.stderr == "error: --force: has no effect with --predict; remove it\n"


def test_a_calibration_is_not_predicted_itself(tmp_path):
    made = order(tmp_path)
    typed = CommandLine(["calibration"], calibrated=["g"])
    with pytest.raises(ConfigError, match="a calibration has no step to predict"):
        show_predictions(replace(made, typed=typed), None)


def test_a_grid_whose_cases_could_not_run_is_refused_before_any_prediction(tmp_path):
    made = order(tmp_path, axes={"gpus": (16,), "schedule": ("zbv",)})
    calibrate(made.store)
    with pytest.raises(ConfigError, match="gpus: 16 for 8 layers"):
        show_predictions(made, None)
