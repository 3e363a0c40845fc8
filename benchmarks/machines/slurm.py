"""A private Slurm with all GPUs of a machine, as one node and as two pretended ones.

It is the private cluster of the tests with other nodes. Jobs of both partitions at a time would
share GPUs, so nobody submits to one while the other has jobs.
"""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from benchmarks.machines.batches import MACHINE, TWO_NODES
from tests.cluster.cluster import NUMBER, Cluster

WHOLE, HALVES = "whole", ("half1", "half2")
PORT = 17_014 + 20 * NUMBER  # four ports that no cluster of the tests takes
FOLDER = Path("/var/lib/mpbench-slurm-machine")
CPUS_PER_GPU, MOST_GB, FOR_OTHERS = 4, 60, 0.8  # of CPUs, memory of a job, share of all memory
TIME_LIMIT_MIN = 10
LOOPBACK_ALONE = "CommunicationParameters=NoCtldInAddrAny,NoInAddrAny\n"
FEW = 2  # jobs that wait
# Between pretended nodes no process may see the GPUs of the other: NCCL goes through sockets.
OVER_SOCKETS = (
    "export NCCL_SOCKET_IFNAME=lo GLOO_SOCKET_IFNAME=lo NCCL_P2P_DISABLE=1 NCCL_SHM_DISABLE=1"
)
PROLOG = """\
#!/bin/sh
[ "$SLURM_JOB_PARTITION" != halves ] || echo "export NCCL_HOSTID=$SLURMD_NODENAME"
"""
OF_NODES = """\
TaskProlog={dir}/task_prolog
NodeName=DEFAULT CPUs=%(cpus)d RealMemory=%(mb)d
NodeName=whole NodeHostname={host} NodeAddr=127.0.0.1 Port={port1} Gres=gpu:%(gpus)d
NodeName=half[1-2] NodeHostname={host} NodeAddr=127.0.0.1 Port=[{port2}-{port3}] Gres=gpu:%(half)d
PartitionName=gpu Nodes=whole Default=YES MaxTime=60 State=UP
PartitionName=halves Nodes=half[1-2] MaxTime=60 State=UP
"""


@dataclass(frozen=True)
class Machine:
    """The GPUs, cores and memory that jobs share.

    Attributes:
        gpus: how many.
        pretended: whether the GPUs are files that nothing computes on.
    """

    gpus: int
    pretended: bool

    @property
    def cores(self) -> int:
        """The CPUs of a node; four for each GPU where they are pretended."""
        return CPUS_PER_GPU * self.gpus if self.pretended else os.cpu_count() or 1

    @property
    def memory_gb(self) -> int:
        """The memory that a node has, or is said to have."""
        pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        return 8 * self.gpus if self.pretended else pages // 1_000_000_000

    def profiles(self) -> dict[str, dict[str, Any]]:
        """Return the profiles of cluster.yaml: one node, two nodes, and too few GPUs."""
        gb = int(min(MOST_GB, FOR_OTHERS * self.memory_gb / self.gpus))
        limits = {
            "timeout_min": TIME_LIMIT_MIN,
            "cpus_per_task": max(1, min(CPUS_PER_GPU, self.cores // self.gpus)),
            "mem_gb": max(1, gb),
        }
        setup = ["export OMP_NUM_THREADS=1"] if self.pretended else []
        common = {
            "executor": "slurm",
            "device": "cpu" if self.pretended else "cuda",
            "gpu_request": "gres",
            "result_wait_s": 3,
        }
        return {
            MACHINE: common
            | {"gpus_per_node": self.gpus}
            | {"submitit": limits | {"slurm_partition": "gpu", "slurm_setup": setup}},
            TWO_NODES: common
            | {"gpus_per_node": self.gpus // 2}
            | {"submitit": limits
               | {"slurm_partition": "halves", "slurm_setup": [*setup, OVER_SOCKETS]}},
        }  # fmt: skip


def write_profiles(machine: Machine, folder: Path) -> tuple[Path, Path]:
    """Write the file of profiles for Slurm, and that for a job that emulates GPUs on its one."""
    slurm, emulated = folder / "cluster.yaml", folder / "emulated.yaml"
    slurm.write_text(yaml.safe_dump({"profiles": machine.profiles()}))
    device = "cpu" if machine.pretended else "auto"
    here = {MACHINE: {"executor": "local", "device": device}}
    emulated.write_text(yaml.safe_dump({"profiles": here}))
    return slurm, emulated


@dataclass(frozen=True)
class PrivateSlurm(Cluster):
    """The private cluster with the nodes of a machine."""

    machine: Machine = Machine(1, True)

    def why_no_loopback(self) -> str | None:
        """Return nothing: where Slurm cannot listen on loopback alone, it listens everywhere."""

    @property
    def before_daemons(self) -> tuple[str, ...]:
        """The words before a daemon's command; none where the host's name cannot be changed."""
        return () if super().why_no_loopback() else super().before_daemons

    def filled_in(self, text: str) -> str:
        """Return the text with the words in braces filled in."""
        if super().why_no_loopback():
            text = text.replace(LOOPBACK_ALONE, "")
        return super().filled_in(text)

    def node_lines(self) -> str:
        """Return the lines of slurm.conf for one node and for two halves of it."""
        gpus, mb = self.machine.gpus, 1000 * self.machine.memory_gb
        values = {"cpus": self.machine.cores, "mb": mb, "gpus": gpus, "half": gpus // 2}
        prolog = self.folder / "task_prolog"
        prolog.write_text(PROLOG)
        prolog.chmod(0o755)
        return self.filled_in(OF_NODES % values)

    def gres_lines(self) -> str:
        """Return the files of the GPUs of every node."""
        gpus = self.machine.gpus
        of_nodes = {WHOLE: (0, gpus), HALVES[0]: (0, gpus // 2), HALVES[1]: (gpus // 2, gpus)}
        file = f"{self.folder}/dev/gpu" if self.machine.pretended else "/dev/nvidia"
        return "".join(
            f"NodeName={node} Name=gpu File={file}{_range(first, end)}\n"
            for node, (first, end) in of_nodes.items()
        )

    def make_devices(self) -> None:
        """Make the files of pretended GPUs; real ones are there."""
        if self.machine.pretended:
            super().make_devices()

    def keep_logs(self, folder: Path) -> None:
        """Copy the logs of the daemons, which `down` removes."""
        folder.mkdir(exist_ok=True)
        for file in self.folder.glob("*.log"):
            shutil.copy2(file, folder)

    def has_few_waiting(self) -> bool:
        """Return whether hardly a job waits for GPUs."""
        waiting = self._jobs("--states=PENDING")
        return waiting is not None and len(waiting) <= FEW

    def is_idle(self) -> bool:
        """Return whether no job waits or runs."""
        return self._jobs() == []

    def _jobs(self, *options: str) -> list[str] | None:
        """Return the ids of jobs; None where Slurm does not answer."""
        command = ["squeue", "--noheader", "--array", "--format=%i", *options]
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True)
        return None if done.returncode else done.stdout.split()


def _range(first: int, end: int) -> str:
    return f"[{first}-{end - 1}]" if end - first > 1 else str(first)


def private_slurm(machine: Machine) -> PrivateSlurm:
    """Return the private Slurm of this machine, which is not started yet."""
    number = f"-{NUMBER}" if NUMBER else ""
    return PrivateSlurm(
        name=f"mpbench-machine{number}",
        folder=Path(f"{FOLDER}{number}"),
        port=PORT,
        accounting=False,
        nodes=(WHOLE, *HALVES),
        partitions="gpu,halves",
        machine=machine,
    )
