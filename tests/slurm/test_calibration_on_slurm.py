"""A calibration on a real Slurm, of a grid over two nodes: pairs within a node and between two."""

import json

import pytest

from tests.cluster.cluster import PLAIN
from tests.slurm.desk import Desk, as_root, checkout, sitting_at, wait_until

pytestmark = as_root
GRID = """
table: schedules
axes: {depth: [4], gpus: [4]}
model: {dim: 16, batch_size: 32}
pipeline: {schedule: 1f1b, micro_batches: 8}
"""


@pytest.mark.slow
def test_a_grid_over_two_nodes_is_calibrated_within_a_node_and_between_two(slurm, tmp_path):
    (tmp_path / "checkout").mkdir()
    root = checkout(tmp_path / "checkout", "two_each", gpus_per_node=2, cpus_per_task=1)
    with sitting_at(Desk(PLAIN, tmp_path, root=root, profile="two_each", real=True)) as desk:
        desk.grid.write_text(GRID)
        words = ("--grid", "calibration", "--for", desk.grid, "--set", "time_limit_s=4")
        planned = desk.run(*words, "--dry-run")
        assert planned.stdout.count("#SBATCH --nodes=2\n") == 1, planned.stderr
        assert desk.run(*words).returncode == 0
        wait_until(lambda: not desk.queue())
        desk.wait_for("ok", "ok", "ok")
        found = sorted(
            (json.loads(path.read_text()) for path in desk.store.glob("calibration-*.json")),
            key=lambda result: (result["case"]["gpus"], result["calibration"]["nodes"]),
        )
    seen = [(r["case"]["gpus"], r["calibration"]["nodes"]) for r in found]
    assert seen == [(1, 1), (2, 1), (2, 2)]
    assert [message["nodes"] for message in found[2]["calibration"]["messages"]][:1] == [2]
    assert {r["job"]["allocated_gpus"] for r in found[1:]} == {2}
