"""The way through a real Slurm: from a grid to jobs, to JSON, to a table."""

import json
import os
import re
import subprocess
import time
from pathlib import Path

import pytest

from tests.conftest import PATIENCE_S
from tests.slurm.desk import checkout, stand_in

pytestmark = pytest.mark.slurm


@pytest.fixture
def submit(run, slurm, tmp_path):
    """Run submit.py on the cluster, with results in tmp_path/r."""

    def submit(*arguments, cluster="testcluster", **environment):
        where = ("--results", tmp_path / "r", "--cluster", cluster)
        return run("submit.py", *where, *arguments, env=slurm | environment)

    return submit


@pytest.fixture
def hold(slurm):
    """Keep new jobs queued while a test looks at them."""
    if os.geteuid() != 0:
        pytest.skip("only root may stop a partition")

    def set_state(state):
        command = ["scontrol", "update", "partitionname=gpu", f"state={state}"]
        subprocess.run(command, env=slurm, check=True, timeout=PATIENCE_S)

    set_state("down")
    yield lambda: set_state("up")
    set_state("up")


def ask(slurm, *command):
    done = subprocess.run(command, env=slurm, capture_output=True, text=True, timeout=PATIENCE_S)
    return done.stdout


def ledger(tmp_path, profile="testcluster"):
    lines = (tmp_path / "r" / profile / "submissions.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def wait_until_ended(slurm, tmp_path, profile="testcluster"):
    jobs = ",".join(event["job_id"] for event in ledger(tmp_path, profile))
    deadline = time.monotonic() + PATIENCE_S
    while ask(slurm, "squeue", "--noheader", f"--jobs={jobs}"):
        assert time.monotonic() < deadline, "the jobs did not end"
        time.sleep(0.2)


def results(tmp_path, profile="testcluster"):
    folder = tmp_path / "r" / profile
    found = [json.loads(path.read_text()) for path in folder.glob("*.json")]
    return {result["case"]["gpus"]: result for result in found}


def test_each_case_is_a_job_with_exactly_its_gpus(submit, slurm, hold, small_grid, tmp_path):
    done = submit("--grid", small_grid)
    assert done.returncode == 0, done.stderr
    for event in ledger(tmp_path):
        job = ask(slurm, "scontrol", "show", "job", event["job_id"])
        assert f"TresPerNode=gres:gpu:{event['requested_gpus']}\n" in job
        assert f"JobName=mp-d20-g{event['requested_gpus']}\n" in job
        assert f"Comment={event['case_id']}@{event['batch']} " in job
        assert "Requeue=0 " in job
        assert f"StdOut={event['log']}\n" in job
    assert sorted(event["requested_gpus"] for event in ledger(tmp_path)) == [2, 5]
    ask(slurm, "scancel", *(event["job_id"] for event in ledger(tmp_path)))


def test_submit_says_what_was_submitted_what_it_costs_and_how_to_watch(
    submit, slurm, hold, small_grid, tmp_path
):
    done = submit("--grid", small_grid)
    first, second = (event["job_id"] for event in ledger(tmp_path))
    assert f"submitted job {first}  mp-d20-g2  log: " in done.stdout
    assert "At most 3.50 GPU-hours: 7 GPUs x 30 min." in done.stdout
    assert f"squeue --all --jobs={first},{second}" in done.stdout
    ask(slurm, "scancel", first, second)


def test_a_queued_job_is_left_out_and_its_row_says_so(
    submit, run, slurm, hold, small_grid, tmp_path
):
    submit("--grid", small_grid, **stand_in())
    job = ledger(tmp_path)[0]["job_id"]
    again = submit("--grid", small_grid, "--force")
    assert f"left out: job {job} is PENDING" in again.stdout
    assert len(ledger(tmp_path)) == 2
    table = run("collect.py", "--grid", small_grid, "--results", tmp_path / "r")
    assert f"no result yet (job {job}, not started)" in table.stdout
    assert table.returncode == 1
    hold()
    wait_until_ended(slurm, tmp_path)
    assert len(results(tmp_path)) == 2


def test_from_the_grid_to_the_table(submit, run, slurm, small_grid, tmp_path):
    submit("--grid", small_grid)
    wait_until_ended(slurm, tmp_path)
    measured = results(tmp_path)
    assert {gpus: r["transfers"]["moves_forward"] for gpus, r in measured.items()} == {2: 1, 5: 4}
    for gpus, result in measured.items():
        assert result["outcome"] == "ok"
        assert result["job"]["requested_gpus"] == result["job"]["allocated_gpus"] == gpus
        assert result["emulated"]
    table = run("collect.py", "--grid", small_grid, "--results", tmp_path / "r")
    assert table.returncode == 0, table.stderr
    rows = [[c.strip() for c in line.split("|")] for line in table.stdout.splitlines()]
    assert {row[2] for row in rows if row[1:2] == ["20"]} == {"2 (emulated)", "5 (emulated)"}
    again = submit("--grid", small_grid)
    assert again.stdout.count("left out: has a result") == 2


def test_results_and_logs_lie_where_the_ledger_says(submit, slurm, small_grid, tmp_path):
    submit("--grid", small_grid, **stand_in())
    wait_until_ended(slurm, tmp_path)
    for event in ledger(tmp_path):
        log = Path(event["log"])
        assert log.parent == tmp_path / "r/testcluster/logs"
        assert "timing" in log.read_text()
        assert (tmp_path / "r/testcluster" / f"{event['case_id']}.json").exists()


def test_a_cuda_job_that_sees_no_gpu_fails_with_the_three_numbers(
    submit, run, slurm, small_grid, tmp_path
):
    submit("--grid", small_grid, "--set", "gpus=5", cluster="slurm")
    wait_until_ended(slurm, tmp_path, "slurm")
    result = results(tmp_path, "slurm")[5]
    if result["outcome"] == "ok":
        pytest.skip("this machine has five real GPUs")
    assert result["outcome"] == "gpu_mismatch"
    message = "GPUs requested: 5, allocated by Slurm: 5, visible to torch: 0"
    assert result["error"]["message"].startswith(f"{message}; likely cause: ")
    table = run("collect.py", "--grid", small_grid, "--results", tmp_path / "r", "--format", "csv")
    assert message in table.stdout


def test_gpus_per_node_gives_the_same_gpus_as_gres(submit, slurm, hold, small_grid, tmp_path):
    submit("--grid", small_grid, "--set", "gpus=5", cluster="slurm")
    (event,) = ledger(tmp_path, "slurm")
    assert "TresPerNode=gres:gpu:5" in ask(slurm, "scontrol", "show", "job", event["job_id"])
    ask(slurm, "scancel", event["job_id"])


def test_a_profile_cannot_change_the_gpus_through_the_back_door(run, slurm, small_grid, tmp_path):
    back_door = {"slurm_additional_parameters": {"gres": "gpu:8"}}
    entry = checkout(tmp_path, "mine", **back_door) / "submit.py"
    arguments = ("--grid", small_grid, "--results", tmp_path / "r", "--cluster", "mine")
    done = run(entry, *arguments, env=slurm)
    assert done.returncode == 2
    assert "slurm_additional_parameters: gres is set by every job itself" in done.stderr


def test_the_automatic_choice_knows_this_cluster_by_its_name(run, slurm):
    done = run("submit.py", "--grid", "task4", "--dry-run", env=slurm)
    assert "Plan for profile testcluster" in done.stdout


def test_the_scripts_of_a_dry_run_are_those_that_slurm_gets(
    submit, slurm, hold, small_grid, tmp_path
):
    shown = submit("--grid", small_grid, "--set", "gpus=5", "--dry-run").stdout
    assert not (tmp_path / "r").exists()
    submit("--grid", small_grid, "--set", "gpus=5")
    (event,) = ledger(tmp_path)
    kept = next((tmp_path / "r/testcluster/batches").glob("*.sh")).read_text()
    # What a batch will be called is open until it is submitted.
    mark = next((tmp_path / "r/testcluster/batches").glob("*.json")).stem.rpartition("-")[2]
    assert kept.replace(mark, "NAME").strip() in shown
    ask(slurm, "scancel", event["job_id"])


def test_what_slurm_refuses_is_shown_in_its_own_words_and_nothing_is_submitted(
    run, slurm, small_grid, tmp_path
):
    before = ask(slurm, "squeue", "--noheader")
    entry = _checkout_with_typed_gpus(tmp_path) / "submit.py"
    arguments = ("--grid", small_grid, "--results", tmp_path / "r", "--cluster", "typed")
    done = run(entry, *arguments, env=slurm)
    assert done.returncode == 2
    assert (
        "profiles.typed: gpu_request, or submitit.cpus_per_task or mem_gb: Slurm refuses"
        in done.stderr
    )
    assert "--gres=gpu:a100:2" in done.stderr
    assert "Requested node configuration is not available" in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "r").exists()
    assert ask(slurm, "squeue", "--noheader") == before


def _checkout_with_typed_gpus(folder):
    return checkout(folder, "typed", request="gres:gpu:a100:{n}")


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"slurm_partition": "none"}, "submitit.slurm_partition: Slurm refuses --gres=gpu:2"),
        ({"slurm_partition": "none"}, "invalid partition specified: none"),
        ({"slurm_partition": "none"}, "partitions here: gpu, "),
        ({"timeout_min": 61}, "submitit.timeout_min: 61 is more than partition gpu allows"),
        ({"slurm_constraint": "a100"}, "Invalid feature specification"),
        ({"slurm_account": 17}, "submitit.slurm_account: 17: Expected str | null, got int"),
        ({"slurm_use_srun": "no"}, "submitit.slurm_use_srun: 'no': Expected bool, got str"),
        ({"slurm_gpus": 8}, "submitit: unknown key 'slurm_gpus'; known keys:"),
    ],
)
def test_what_could_never_run_is_refused_before_anything_is_written(
    run, slurm, small_grid, tmp_path, settings, complaint
):
    entry = checkout(tmp_path, "mine", **settings) / "submit.py"
    arguments = ("--grid", small_grid, "--results", tmp_path / "r", "--cluster", "mine")
    done = run(entry, *arguments, env=slurm)
    assert done.returncode == 2
    assert complaint in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "r").exists()


def test_a_plan_that_could_cost_too_much_is_refused(submit, small_grid, tmp_path):
    done = submit("--grid", small_grid, "--max-gpu-hours", "3.4")
    assert done.returncode == 2
    assert "3.4 is less than the 3.50 GPU-hours" in done.stderr
    assert not (tmp_path / "r").exists()


def test_a_wckey_appears_only_if_the_profile_asks_for_one(run, slurm, small_grid, tmp_path):
    entry = checkout(tmp_path, "mine", slurm_wckey="course") / "submit.py"
    done = run(entry, "--grid", small_grid, "--cluster", "mine", "--dry-run", env=slurm)
    assert done.stdout.count("#SBATCH --wckey=course") == 2


def test_a_controller_that_does_not_answer_is_an_error_and_no_reason_to_run_here(
    run, slurm, tmp_path
):
    dead = tmp_path / "slurm.conf"
    conf = Path(slurm["SLURM_CONF"]).read_text()
    dead.write_text(re.sub(r"SlurmctldPort=\d+", r"SlurmctldPort=1\nMessageTimeout=2", conf))
    env = slurm | {"SLURM_CONF": str(dead)}
    done = run("submit.py", "--grid", "smoke", "--results", tmp_path / "r", env=env)
    assert done.returncode == 2
    assert "Slurm does not answer" in done.stderr
    assert not (tmp_path / "r").exists()


def test_repeats_are_jobs_of_their_own_and_one_row(submit, slurm, small_grid, run, tmp_path):
    small_grid.write_text(f"{small_grid.read_text()}trace: true\n")
    done = submit("--grid", small_grid, "--repeats", "3", "--set", "gpus=2")
    assert done.returncode == 0, done.stderr
    wait_until_ended(slurm, tmp_path)
    assert len({event["job_id"] for event in ledger(tmp_path)}) == 3
    assert {event["job_name"] for event in ledger(tmp_path)} == {
        "mp-d20-g2",
        "mp-d20-g2-r2",
        "mp-d20-g2-r3",
    }
    options = ("--grid", small_grid, "--columns", "steps", "--results", tmp_path / "r")
    shown = run("collect.py", *options, env=slurm)
    assert "| 9 in 3 jobs |" in shown.stdout
    traces = list((tmp_path / "r/testcluster/traces").glob("*.json"))
    assert len(traces) == 3
    assert all(json.loads(path.read_text())["traceEvents"] for path in traces)
