"""benchmarks/machine.py: what it plans for 2, 4 and 8 GPUs, and what it says of it."""

from collections import Counter
from dataclasses import replace

import pytest
import yaml

from benchmarks.machine import described, parse_arguments
from benchmarks.machines.batches import MACHINE, Batch, batches
from benchmarks.machines.chosen import check, plan
from benchmarks.machines.grids import EXAMPLE, HELD_OUT, write_grids
from benchmarks.machines.plan import Queue, parts_of
from benchmarks.machines.run import take_in_emulated
from benchmarks.machines.seconds import seconds_of
from benchmarks.machines.slurm import Machine, private_slurm
from benchmarks.machines.summary import is_complete, summary
from study.errors import ConfigError
from study.grids.file import load_grids
from study.paths import ROOT
from study.storage.ledger import Ended, Submission, append
from study.storage.store import Store
from tests.cluster.cluster import PROGRAMS

EVERYTHING = {"calibration", "homework", "linear", "nodes", "transformers", "held-out"}
sizes = pytest.mark.parametrize("gpus", [2, 4, 8])


def parts(folders, gpus, within_s=540.0, done=frozenset()):
    chosen = batches(gpus, on_cpus=False)
    return parts_of(chosen, folders[gpus], gpus, within_s, set(done))


@sizes
def test_every_case_is_planned_once_and_every_part_fits_its_time(folders, gpus):
    found = parts(folders, gpus)
    planned = [one for part in found for one in part]
    cases = Counter((one.batch.profile, case) for one in planned for case in one.cases)
    assert set(cases.values()) == {1}
    assert {one.batch.section for one in planned} == EVERYTHING
    assert max(one.ends_s for one in planned) <= 540
    files = {path.stem for path in folders[gpus].glob("*.yaml")} - {"task5"}  # task 4's cases
    assert {one.batch.grid for one in planned} == files | {"calibration"}


@sizes
def test_all_cases_of_all_grids_are_run(folders, gpus):
    every = {case for part in parts(folders, gpus) for one in part for case in one.cases}
    planned = {case for case in every if not case.is_calibration}
    grids = load_grids([str(path) for path in sorted(folders[gpus].glob("*.yaml"))])
    assert planned == {case for grid in grids for case in grid.cases()}


@pytest.mark.parametrize(
    ("gpus", "real", "emulated"), [(8, range(1, 9), []), (4, range(1, 5), [5])]
)
def test_task_3_is_run_on_every_number_of_gpus_and_five_are_emulated_on_four(
    folders, gpus, real, emulated
):
    task3 = [b for b in batches(gpus, on_cpus=False) if b.grid in ("task3", "task4")]
    counts = {True: set(), False: set()}
    for batch in task3:
        counts[batch.emulated] |= {case.gpus for case in batch.cases(folders[gpus])}
    assert counts == {True: {*emulated}, False: {*real}}


def test_for_four_gpus_the_grids_are_those_of_the_example(folders):
    for path in (*EXAMPLE.glob("*.yaml"), *HELD_OUT.glob("*.yaml")):
        written = yaml.safe_load((folders[4] / path.name).read_text())
        assert written == yaml.safe_load(path.read_text()), path


def test_the_sample_has_every_schedule_on_1_2_and_4_gpus(folders):
    cases = Batch("schedules", "schedules").cases(folders[4])
    assert Counter(case.gpus for case in cases) == {1: 9, 2: 9, 4: 9}
    assert {case.schedule for case in cases} >= {"naive", "ddp", "fsdp", "tensor", "zbv"}


def test_what_was_measured_before_is_not_planned_again(folders):
    first = parts(folders, 4)[0]
    done = {(one.batch.profile, case) for one in first for case in one.cases}
    again = [one.batch for part in parts(folders, 4, done=done) for one in part]
    assert again[0] not in [one.batch for one in first]


def test_jobs_start_in_order_each_as_soon_as_its_gpus_are_free(folders):
    one, two, four = (
        Batch("schedules", "schedules", ("schedule=naive", f"gpus={n}")) for n in (1, 2, 4)
    )
    cases = {batch: batch.cases(folders[4]) for batch in (one, two, four)}
    one_s, two_s, four_s = (seconds_of(cases[batch][0]) for batch in (one, two, four))
    queue = Queue(4)
    assert queue.submit(two, cases[two]) == two_s
    assert queue.submit(one, cases[one]) == two_s  # beside it, and it ends earlier
    assert queue.submit(four, cases[four]) == two_s + four_s
    assert queue.submit(one, cases[one]) == two_s + four_s + one_s  # though a GPU was free at first
    emulated = replace(four, emulated=True)  # on one GPU, beside the case before
    assert queue.submit(emulated, cases[four]) == two_s + 2 * four_s


def test_a_rehearsal_has_the_same_cases_in_small_but_no_graphs(tmp_path):
    write_grids(tmp_path, 4, small=True)
    chosen = [*batches(4, on_cpus=True)]
    cases = [case for batch in chosen for case in batch.cases(tmp_path)]
    assert {case.execution for case in cases} == {"eager"}
    assert max(case.dim for case in cases) <= 64
    assert {batch.section for batch in chosen} == EVERYTHING


def test_two_pretended_nodes_share_the_gpus_of_the_machine():
    slurm = private_slurm(Machine(8, pretended=False))
    assert slurm.gres_lines().splitlines() == [
        "NodeName=whole Name=gpu File=/dev/nvidia[0-7]",
        "NodeName=half1 Name=gpu File=/dev/nvidia[0-3]",
        "NodeName=half2 Name=gpu File=/dev/nvidia[4-7]",
    ]


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        (
            ["--only", "task9"],
            "--only: 'task9' is not one of: calibration, homework, linear, nodes",
        ),
        (["--predict"], "--predict: needs calibrations; name the --out that has them as --from"),
        (["--within", "5"], "--within: 5 s is too short"),
        (["--from", "nowhere"], "--from: nowhere has no folder results"),
        (["--part", "9", "--plan"], "--part: 9 is not 1 to "),
        (["--out", str(ROOT / "docs/example"), "--plan"], "--out: .*docs/example has results"),
    ],
)
def test_wrong_options_are_refused_in_one_line(given, problem, tmp_path, monkeypatch):
    words = ["machine.py", "--gpus", "4", "--out", str(tmp_path), *given]
    monkeypatch.setattr("sys.argv", words)
    arguments = parse_arguments()
    write_grids(tmp_path / "grids", 4, small=False)

    def prepare():
        check(arguments)
        plan(arguments)

    with pytest.raises(ConfigError, match=problem):
        prepare()


def test_a_machine_without_slurm_is_told_what_is_missing(tmp_path, monkeypatch):
    words = ["machine.py", "--gpus", "2", "--out", str(tmp_path), "--rehearse"]
    monkeypatch.setattr("sys.argv", words)
    monkeypatch.setattr("tests.cluster.cluster._path", lambda: str(tmp_path))
    monkeypatch.setattr("os.geteuid", lambda: 0)
    with pytest.raises(ConfigError, match=f"not installed: {', '.join(PROGRAMS)}"):
        check(parse_arguments())


def test_the_summary_tells_what_was_measured_and_why_the_rest_was_not(folders, tmp_path):
    (task2,) = [one for part in parts(folders, 4) for one in part if one.batch.grid == "task2"]
    store = Store(tmp_path / "results", MACHINE)
    store.folder.mkdir(parents=True)
    first, second = task2.cases
    (example,) = (ROOT / "docs/example/results").rglob(f"{first.case_id}.json")
    (store.folder / example.name).write_bytes(example.read_bytes())
    ends = {"outcome": "cancelled", "state": "CANCELLED", "reason": "no time"}
    append(store.submissions, *_attempt(second, **ends))
    lines = summary([task2], tmp_path, ["a note"], 12.3)
    assert any(line.startswith("| task2 gpus=2 | 1 of 2 | 2 | 36, ") for line in lines)
    assert "The command took 12 s." in lines
    assert "0 of 1 submitted cases were predicted before." in lines
    assert lines[-2].startswith("cancelled: no time: task2: depth 24, 2 GPUs, schedule naive")
    assert lines[-1] == "note: a note"
    assert not is_complete([task2], tmp_path)
    assert is_complete([replace(task2, cases=[first])], tmp_path)


def test_what_emulated_gpus_gave_joins_the_other_results(folders, tmp_path):
    case, other = Batch("homework", "task4").cases(folders[4])
    for results, one in (("results", case), ("emulated/task4", other)):
        store = Store(tmp_path / results, MACHINE)
        store.folder.mkdir(parents=True)
        append(store.submissions, *_attempt(one, outcome="ok", state=None, reason=""))
        store.result_path(one).write_text(results)
    take_in_emulated(tmp_path)
    joined = Store(tmp_path / "results", MACHINE)
    assert joined.result_path(other).read_text() == "emulated/task4"
    assert joined.result_path(case).read_text() == "results"
    assert len(joined.submissions.read_text().splitlines()) == 4


def test_the_plan_names_parts_batches_and_their_ends(folders):
    first, *others = described(parts(folders, 4))
    assert first == "part 1"
    assert others[0].endswith(" 2 cases  calibration of schedules, pipelines, graphs, "
                              "held-out-deep, held-out-replicas, held-out-batch")  # fmt: skip
    assert any("1 cases  task1 gpus=2" in line for line in others)
    assert "part 2" in others


def _attempt(case, **end):
    """Lines of the ledger for a job of the case that has ended."""
    job = {"case_id": case.case_id, "job_id": "7", "batch": "mpbench-0123abcd-0123456789ab"}
    submitted = Submission(
        case=case, grid="task", overrides={}, executor="slurm", job_name="mp", log="logs/7.log",
        requested_gpus=case.gpus, timeout_min=10, submitted_at="2026-11-27T12:00:00.000+00:00",
        **job,
    )  # fmt: skip
    seen = "2026-11-27T12:01:00.000+00:00"
    return submitted, Ended(nodes="", elapsed_s=1, told_by="squeue", seen_at=seen, **job, **end)
