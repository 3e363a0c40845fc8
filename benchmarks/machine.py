"""Everything that a machine with several GPUs is to measure, through a private Slurm on it.

    python benchmarks/machine.py --gpus 8 --out OUT --plan             what would run, and how long
    python benchmarks/machine.py --gpus 8 --out OUT                    what ten minutes allow of it
    python benchmarks/machine.py --gpus 8 --out OUT2 --from OUT        more, OUT included
    python benchmarks/machine.py --gpus 4 --only homework,schedules,gpt --out OUT
    python benchmarks/machine.py --gpus 4 --rehearse --out OUT         tiny sizes, without GPUs

Needs root, real GPUs at /dev/nvidia0 and on, and Slurm's slurmctld, slurmd, munged and sbatch in
PATH; no network. The grids are those of the homework and of docs/example/grids. OUT gets results/,
grids/ as they were submitted, slurm/ with its logs, summary.md, and all of it as machine.tgz.

Exit codes: 0 every case of the part was measured; 1 some were not, which summary.md names; 2 the
input or the machine is wrong, and nothing was started.
"""

import argparse
import shutil
import signal
import sys
import tarfile
from pathlib import Path
from time import monotonic

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.machines.batches import SECTIONS, batches
from benchmarks.machines.grids import write_grids
from benchmarks.machines.plan import Planned, parts_of
from benchmarks.machines.run import TO_PACK_S, Run, take_in_emulated
from benchmarks.machines.slurm import Machine, private_slurm, write_profiles
from benchmarks.machines.summary import is_complete, results_of, summary
from study.command_line.parser import OneLineParser
from study.errors import ConfigError, explain

BEGAN_S = monotonic()
TO_START_S = 8.0
LEAST_S = 60.0
SIZES = (2, 4, 8)


def main() -> int:
    """Run one part and return the exit code."""
    arguments = parse_arguments()
    try:
        check(arguments)
        write_grids(arguments.out / "grids", arguments.gpus, small=arguments.rehearse)
        parts = plan(arguments)
    except (ConfigError, OSError) as error:
        words = error if isinstance(error, ConfigError) else explain(error)
        print(f"error: {words}", file=sys.stderr)
        return 2
    if arguments.plan:
        print(*described(parts), sep="\n")
        return 0
    chosen = parts if arguments.part is None else [parts[arguments.part - 1]]
    return run(arguments, [planned for part in chosen for planned in part])


def parse_arguments() -> argparse.Namespace:
    """Return the options of the command line."""
    parser = OneLineParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--gpus", type=int, choices=SIZES, required=True, help="the GPUs of the machine to use")
    add("--out", type=Path, required=True, metavar="DIR", help="where results go")
    add("--within", type=float, default=570.0, metavar="SECONDS",
        help="the time of the whole command: then jobs are cancelled, and what there is is packed "
        "(default: 570)")  # fmt: skip
    add("--only", default=",".join(SECTIONS), metavar="SECTIONS",
        help=f"some of {', '.join(SECTIONS)}, joined by commas (default: all)")  # fmt: skip
    add("--part", type=int, metavar="N",
        help="only what --plan puts into this part (default: everything, until the time is "
        "up)")  # fmt: skip
    add("--from", type=Path, dest="earlier", metavar="DIR",
        help="--out of an earlier call: what it measured is not measured again")  # fmt: skip
    add("--plan", action="store_true", help="show what each part has, and start nothing")
    add("--rehearse", action="store_true",
        help="tiny sizes on pretended GPUs, to try all of this; no figure means "
        "anything")  # fmt: skip
    return parser.parse_args()


def check(arguments: argparse.Namespace) -> None:
    """Check the options and the machine.

    Raises:
        ConfigError: one is wrong, or the machine lacks something.
    """
    if arguments.within < LEAST_S:
        raise ConfigError(
            "--within", f"{arguments.within:g} s is too short; use {LEAST_S:g} or more"
        )
    unknown = [name for name in arguments.only.split(",") if name not in SECTIONS]
    if unknown:
        raise ConfigError("--only", f"{unknown[0]!r} is not one of: {', '.join(SECTIONS)}")
    if arguments.earlier and not (arguments.earlier / "results").is_dir():
        raise ConfigError("--from", f"{arguments.earlier} has no folder results; name an --out")
    if (arguments.out / "results").exists():
        raise ConfigError(
            "--out", f"{arguments.out} has results; name another, or use it as --from"
        )
    if arguments.plan:
        return
    here = len(list(Path("/dev").glob("nvidia[0-9]*")))
    if not arguments.rehearse and here < arguments.gpus:
        words = f"{arguments.gpus}, and /dev/nvidia* are {here}; use fewer, or --rehearse"
        raise ConfigError("--gpus", words)
    machine = Machine(arguments.gpus, arguments.rehearse)
    if problem := private_slurm(machine).why_impossible():
        raise ConfigError("Slurm", problem)


def plan(arguments: argparse.Namespace) -> list[list[Planned]]:
    """Return all parts of what was chosen.

    Raises:
        ConfigError: there is no such part.
    """
    sections = arguments.only.split(",")
    everything = batches(arguments.gpus, on_cpus=arguments.rehearse)
    chosen = [batch for batch in everything if batch.section in sections]
    within_s = arguments.within - TO_START_S - TO_PACK_S
    measured = results_of(arguments.earlier) if arguments.earlier else {}
    done = {
        (profile, case)
        for profile, found in measured.items()
        for case, result in found.items()
        if result.error is None
    }
    parts = parts_of(chosen, arguments.out / "grids", arguments.gpus, within_s, done)
    if arguments.part is not None and not 1 <= arguments.part <= len(parts):
        raise ConfigError("--part", f"{arguments.part} is not 1 to {len(parts)}")
    return parts


def described(parts: list[list[Planned]]) -> list[str]:
    """Return a line for each batch, under its part."""
    lines = []
    for number, part in enumerate(parts, 1):
        lines.append(f"part {number}")
        for planned in part:
            words = " ".join((planned.batch.grid, *planned.batch.sets))
            lines.append(f"  {planned.ends_s:5.0f} s  {len(planned.cases):2} cases  {words}")
    return lines


def run(arguments: argparse.Namespace, part: list[Planned]) -> int:
    """Start Slurm, run the part, pack, and return the exit code."""
    machine = Machine(arguments.gpus, arguments.rehearse)
    slurm = private_slurm(machine)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("error: ended by SIGTERM"))
    if arguments.earlier:
        shutil.copytree(arguments.earlier / "results", arguments.out / "results")
    ends_s = BEGAN_S + arguments.within - TO_PACK_S
    work = Run(slurm, arguments.out.resolve(), write_profiles(machine, arguments.out), ends_s)
    is_up = False
    try:
        slurm.up()
        is_up = True
        work.work(part)
    except SystemExit as end:  # with what Slurm said, or by SIGTERM
        print(end.code, file=sys.stderr)
        if not is_up:
            return 2
        work.notes.append(str(end.code))
    finally:
        slurm.keep_logs(arguments.out / "slurm")
        slurm.down()
    take_in_emulated(arguments.out)
    lines = summary(part, arguments.out, work.notes, monotonic() - BEGAN_S)
    (arguments.out / "summary.md").write_text("\n".join(lines) + "\n")
    pack(arguments.out)
    print(*lines, sep="\n")
    return 0 if is_complete(part, arguments.out) else 1


def pack(folder: Path) -> None:
    """Pack results, grids and the summary as machine.tgz."""
    with tarfile.open(folder / "machine.tgz", "w:gz") as archive:
        for name in ("results", "grids", "slurm", "emulated", "summary.md"):
            if (folder / name).exists():
                archive.add(folder / name, name)


if __name__ == "__main__":
    sys.exit(main())
