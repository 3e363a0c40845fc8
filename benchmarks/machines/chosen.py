"""The options of machine.py: whether they can be followed, and what they choose."""

import argparse
from pathlib import Path

from benchmarks.machines.batches import SECTIONS, Batch, batches
from benchmarks.machines.earlier import measured_before
from benchmarks.machines.plan import Planned, parts_of
from benchmarks.machines.run import TO_PACK_S
from benchmarks.machines.slurm import Machine, private_slurm
from mp.hardware.nvml import all_uuids
from study.errors import ConfigError

TO_START_S = 8.0
LEAST_S = 60.0


def check(arguments: argparse.Namespace) -> None:
    """Check the options and the machine.

    Raises:
        ConfigError: one is wrong, or the machine lacks something.
    """
    if arguments.within < LEAST_S:
        raise ConfigError(
            "--within", f"{arguments.within:g} s is too short; use {LEAST_S:g} or more"
        )
    known = names(arguments.gpus)
    unknown = [name for name in arguments.only.split(",") if name not in known]
    if unknown:
        raise ConfigError("--only", f"{unknown[0]!r} is not one of: {', '.join(known)}")
    if arguments.earlier and not (arguments.earlier / "results").is_dir():
        raise ConfigError("--from", f"{arguments.earlier} has no folder results; name an --out")
    if (arguments.out / "results").exists():
        raise ConfigError(
            "--out", f"{arguments.out} has results; name another, or use it as --from"
        )
    if arguments.predict and not arguments.earlier:
        raise ConfigError("--predict", "needs calibrations; name the --out that has them as --from")
    if arguments.plan or arguments.predict:
        return
    here = len(list(Path("/dev").glob("nvidia[0-9]*")))
    if not arguments.rehearse and here < arguments.gpus:
        words = f"{arguments.gpus}, and /dev/nvidia* are {here}; use fewer, or --rehearse"
        raise ConfigError("--gpus", words)
    machine = Machine(arguments.gpus, arguments.rehearse)
    if problem := private_slurm(machine).why_impossible():
        raise ConfigError("Slurm", problem)


def names(gpus: int) -> list[str]:
    """Return what --only can name: sections, then grids."""
    grids = (batch.grid for batch in batches(gpus, on_cpus=False))
    return list(dict.fromkeys((*SECTIONS, *grids)))


def chosen(arguments: argparse.Namespace) -> list[Batch]:
    """Return the batches that --only names, in order."""
    wanted = set(arguments.only.split(","))
    everything = batches(arguments.gpus, on_cpus=arguments.rehearse)
    return [batch for batch in everything if wanted & {batch.section, batch.grid}]


def plan(arguments: argparse.Namespace) -> list[list[Planned]]:
    """Return all parts of what was chosen.

    Raises:
        ConfigError: there is no such part.
    """
    within_s = arguments.within - TO_START_S - TO_PACK_S
    here = None if arguments.plan or arguments.predict else all_uuids()
    done = measured_before(arguments.earlier, here) if arguments.earlier else set()
    parts = parts_of(chosen(arguments), arguments.out / "grids", arguments.gpus, within_s, done)
    if arguments.part is not None and not 1 <= arguments.part <= len(parts):
        raise ConfigError("--part", f"{arguments.part} is not 1 to {len(parts)}")
    return parts
