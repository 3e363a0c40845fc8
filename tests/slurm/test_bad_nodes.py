"""A node that cannot launch jobs, on a real Slurm: it fails them at once, and the next ones too."""

import subprocess
from contextlib import contextmanager

from tests.slurm.desk import ROOT, as_root, on_one, wait_until

pytestmark = [*as_root, on_one]


@contextmanager
def node_without(desk, node, folder):
    """The node, without what lies in this folder: its file system is not mounted there."""
    cluster = desk.cluster
    cluster.stop(f"slurmd.{node}")
    start = f"mount -t tmpfs none {folder} && exec slurmd -N {node} -f {cluster.conf}"
    subprocess.run(
        ["unshare", "--mount", "sh", "-c", start], env=cluster.environment, check=True, timeout=60
    )
    wait_until(cluster.is_up)
    try:
        yield
    finally:
        cluster.stop(f"slurmd.{node}")
        cluster.start_node(node)
        wait_until(cluster.is_up)


def test_a_node_without_the_results_folder_does_not_eat_a_grid(desk):
    desk.write_grid(gpus="[4]", depth=str(list(range(4, 12))))
    with node_without(desk, "gpu2", desk.folder):
        done = desk.run("--grid", desk.grid, "--watch", "--retries", "2")
    ends = desk.events("ended")
    failed = {end["case_id"] for end in ends if end["outcome"] == "node_failed"}
    assert failed, "no job was ever sent to the bad node"
    assert {end["nodes"] for end in ends if end["outcome"] == "node_failed"} == {"gpu2"}
    assert {end["outcome"] for end in ends if end["nodes"] == "gpu1"} == {"ok"}
    assert done.returncode == 0
    assert desk.outcomes() == ["ok"] * 8
    assert "Tables:  python collect.py" in done.stdout


def test_a_node_without_python_is_node_failed_in_the_line_that_tells(desk):
    with node_without(desk, "gpu2", ROOT / ".venv"):
        desk.slurm("scontrol", "update", "nodename=gpu1", "state=drain", "reason=test")
        desk.write_grid(gpus="[1]", depth="[4, 5]")
        desk.submit()
        rows = desk.wait_for("node_failed", "node_failed")
        assert {row["node"] for row in rows} == {"gpu2"}
        assert "execve():" in desk.reason()
        # No other node could run them: leaving this one out would help nobody.
        again = desk.run("--grid", desk.grid, "--dry-run")
        assert "no node but gpu2 can run jobs" in again.stderr
        desk.mend("gpu1")
        again = desk.submit()
        assert "left out: gpu2, since the last cases there failed at launch" in again.stderr
        assert again.stdout.count("run again (was node_failed), not on gpu2") == 2
        desk.wait_for("ok", "ok")
    assert "--exclude" not in desk.run("--grid", desk.grid, "--force", "--dry-run").stdout
