"""What a plan says on a real Slurm: when jobs would start, and which cannot fit their GPUs."""

import re

from tests.cluster.cluster import PLAIN
from tests.slurm.desk import Desk, as_root, checkout, sitting_at, wait_until

pytestmark = as_root
FULL = ("sbatch", "--parsable", "--nodes=2", "--exclusive", "--output=/dev/null", "--wrap=sleep 99")


def test_a_plan_says_when_slurm_would_start_and_submits_nothing_that_cannot_fit(slurm, tmp_path):
    (tmp_path / "checkout").mkdir()
    root = checkout(tmp_path / "checkout", "here", cpus_per_task=1, keys={"gpu_memory_gb": 16})
    with sitting_at(Desk(PLAIN, tmp_path, root=root, profile="here")) as desk:
        desk.write_grid(gpus="[2, 5]")
        dry = ("--grid", desk.grid, "--dry-run")
        free = desk.run(*dry)
        assert free.returncode == 0, free.stderr
        assert re.search(r"sgd  0\.0\d GiB, fits  run\n", free.stdout)
        cost = "2 GPUs each: 1 job, at most 1.00 GPU-hours"
        assert f"{cost}; Slurm would start one now\n" in free.stdout
        refused = desk.run("--grid", desk.grid, "--set", "dim=65536")
        assert (refused.returncode, desk.cluster.ask("squeue", "--noheader")) == (2, "")
        (line,) = refused.stderr.splitlines()
        assert "d20-g2-" in line
        assert "cannot fit, nor can 1 more: GPU 1 would need 320 GiB for tensors" in line
        assert "nothing was submitted; --force submits it all the same" in line
        assert not desk.store.exists()
        job = desk.cluster.ask(*FULL, "--time=30").strip()
        wait_until(lambda: "RUNNING" in desk.cluster.ask("squeue", f"--jobs={job}", "-o", "%T"))
        busy = desk.run(*dry)
        assert re.search(rf"{cost}; Slurm would start one in about (29|30|31) min\n", busy.stdout)
