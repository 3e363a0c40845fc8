"""What others write into a ledger, a comment or a job's name changes nothing on a real Slurm."""

import json
from contextlib import contextmanager

from tests.cluster.cluster import becomes_true
from tests.slurm.desk import as_root, on_one

pytestmark = as_root
ANYBODYS = ("user", "cluster")  # a ledger of an early version has neither
TRIES, TO_HEAR_S = 10, 30.0  # of an account, and seconds until the controller should know it
SLEEP = ("--parsable", "--output=/dev/null", "--wrap=sleep 600")


def test_no_other_users_job_changes_what_is_said_of_ours_or_what_is_cancelled(desk, users):
    _, eve = users
    ours = desk.submit_slow_job()
    unrelated = desk.slurm("sbatch", *SLEEP).strip()
    (submitted,) = desk.events("submitted")
    mark = f"{submitted['case_id']}@{submitted['batch']}"
    if desk.cluster.accounting:
        let_submit(desk.cluster, eve)
    with ended_at_last(desk, eve):
        for lie in (
            mark,
            f"x JobId={unrelated} JobState=RUNNING UserId=root(0) Comment={mark}",
            f"x JobId={ours} JobState=NODE_FAIL NodeList=gpu2 UserId=root(0) Comment={mark}",
        ):
            names = (f"--comment={lie}", f"--job-name=mp-d20-g2 {lie}")
            desk.slurm(*eve.command("sbatch", "--chdir=/", *names, *SLEEP))
        (row,) = desk.rows()
        assert (row["job id"], row["state"], row["outcome"]) == (ours, "RUNNING", "–")
        planned = desk.run("--grid", desk.grid, "--retries", "2", "--dry-run").stdout
        assert f"left out: job {ours} is RUNNING" in planned
        done = desk.run("--cancel", "--grid", desk.grid)
        assert done.stdout == f"cancelled: 1 ({ours})\n"
        left = desk.slurm("squeue", "--noheader", "--user=root", "--format=%i").split()
        assert unrelated in left
        desk.wait_for("cancelled")


def let_submit(cluster, user):
    """Give the user an account, again if the controller does not hear of it from the database."""
    tried = user.command("sh", "-c", "sbatch --test-only --chdir=/ --wrap=true 2>&1 && echo taken")
    for _ in range(TRIES):
        cluster.ask("sacctmgr", "--immediate", "delete", "user", user.name)
        cluster.ask("sacctmgr", "--immediate", "add", "user", user.name, "account=mpbench")
        if becomes_true(lambda: "taken" in cluster.ask(*tried), TO_HEAR_S):
            return
    raise AssertionError(cluster.ask(*tried))


@contextmanager
def ended_at_last(desk, user):
    """Cancel the user's jobs at the end."""
    try:
        yield
    finally:
        desk.slurm("scancel", f"--user={user.name}")


@on_one
def test_only_ids_that_slurm_lists_as_ours_are_cancelled_whatever_the_ledger_says(desk):
    ours = desk.submit_slow_job()
    unrelated = desk.slurm("sbatch", *SLEEP).strip()
    ledger = desk.store / "submissions.jsonl"
    ledger.write_text(ledger.read_text().replace(f'"job_id":"{ours}"', f'"job_id":"{unrelated}"'))
    assert desk.run("--cancel", "--grid", desk.grid).stdout == f"cancelled: 1 ({ours})\n"
    assert desk.slurm("squeue", "--noheader", "--format=%i").split().count(unrelated) == 1


@on_one
def test_a_made_up_ledger_ends_no_job_of_ours_whatever_is_asked(desk):
    job = desk.slurm("sbatch", "--hold", "--job-name=thesis", *SLEEP).strip()
    desk.slurm("scontrol", "update", "partitionname=gpu", "state=down")
    try:
        desk.submit()
    finally:
        desk.slurm("scancel", *desk.job_ids())
        desk.slurm("scontrol", "update", "partitionname=gpu", "state=up")
    (line,) = desk.events("submitted")
    made_up = {"job_id": job, "job_name": "thesis", "slurm_clock_s": 0} | dict.fromkeys(ANYBODYS)
    for batch in (line["batch"], "mpbench-deadbeef-abc"):
        forged = line | made_up | {"batch": batch}
        (desk.store / "submissions.jsonl").write_text(json.dumps(forged) + "\n")
        for words in ("--cancel", "--force", "--only failed", "--retries 3"):
            done = desk.run("--grid", desk.grid, *words.split())
            assert "Traceback" not in done.stderr
    assert "JobState=PENDING" in desk.slurm("scontrol", "show", "job", job)


@on_one
def test_a_node_of_the_ledger_never_becomes_a_line_of_a_script(desk):
    planted = desk.folder / "PWNED"
    desk.submit_slow_job()
    node = desk.rows()[0]["node"]
    desk.slurm("scontrol", "update", f"nodename={node}", "state=down", "reason=test")
    desk.wait_for("node_failed")
    desk.mend(node)
    ledger = desk.store / "submissions.jsonl"
    *lines, last = ledger.read_text().splitlines()
    for name in (
        f"gpu2\\'\" --exclude=gpu2\ntouch {planted} #",
        "gpu2 --wrap=x",
        f"$(touch {planted})",
    ):
        lines.append(json.dumps(json.loads(last) | {"nodes": name}))
    ledger.write_text("\n".join([*lines, ""]))
    done = desk.run("--grid", desk.grid, "--retries", "2")
    assert "lines that cannot be read: 3" in done.stderr
    scripts = [path.read_text() for path in (desk.store / "batches").glob("*.sh")]
    assert not any("PWNED" in script for script in scripts)
    assert not planted.exists()
