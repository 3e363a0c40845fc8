"""Everything that a machine with several GPUs is to measure, through a private Slurm on it.

    python benchmarks/machine.py --gpus 8 --out OUT --plan             what would run, and how long
    python benchmarks/machine.py --gpus 8 --out OUT                    what ten minutes allow of it
    python benchmarks/machine.py --gpus 8 --out OUT2 --from OUT        more, OUT included
    python benchmarks/machine.py --gpus 4 --only calibration --out OUT
    python benchmarks/machine.py --gpus 4 --from OUT --predict --out OUT2   on any machine
    python benchmarks/machine.py --gpus 4 --from OUT --only held-out,pipelines --out OUT3
    python benchmarks/machine.py --gpus 4 --rehearse --out OUT         tiny sizes, without GPUs

Needs root, real GPUs at /dev/nvidia0 and on, and Slurm's slurmctld, slurmd, munged and sbatch in
PATH; no network. --plan and --predict need none of it. The grids are those of the homework, of
docs/example/grids and of benchmarks/machines/held_out. OUT gets results/, grids/ as they were
submitted, slurm/ with its logs, summary.md, and all of it as machine.tgz; with --predict it gets
predicted/, a file for each grid. Calibrations run first, so that the ledger has a prediction of
each case that is submitted later.

Exit codes: 0 every case of the part was measured; 1 some were not, which summary.md names; 2 the
input or the machine is wrong, and nothing was started, or nothing can be predicted.
"""

import argparse
import shutil
import signal
import sys
import tarfile
from pathlib import Path
from time import monotonic

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.machines.batches import MACHINE, SECTIONS
from benchmarks.machines.chosen import check, chosen, plan
from benchmarks.machines.grids import write_grids
from benchmarks.machines.plan import Planned
from benchmarks.machines.predicted import predict, write
from benchmarks.machines.run import TO_PACK_S, Run, take_in_emulated
from benchmarks.machines.slurm import Machine, private_slurm, write_profiles
from benchmarks.machines.summary import is_complete, summary
from study.command_line.parser import OneLineParser
from study.errors import ConfigError, explain

BEGAN_S = monotonic()
SIZES = (2, 4, 8)


def main() -> int:
    """Run one part and return the exit code."""
    arguments = parse_arguments()
    try:
        check(arguments)
        write_grids(arguments.out / "grids", arguments.gpus, small=arguments.rehearse)
        if arguments.predict:
            return show_predictions(arguments)
        parts = plan(arguments)
    except (ConfigError, OSError) as error:
        words = error if isinstance(error, ConfigError) else explain(error)
        print(f"error: {words}", file=sys.stderr)
        return 2
    if arguments.plan:
        print(*described(parts), sep="\n")
        return 0
    wanted = parts if arguments.part is None else [parts[arguments.part - 1]]
    return run(arguments, [planned for part in wanted for planned in part])


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
    add("--only", default=",".join(SECTIONS), metavar="NAMES",
        help=f"some of {', '.join(SECTIONS)}, and of the names of grids, joined by commas "
        "(default: all)")  # fmt: skip
    add("--part", type=int, metavar="N",
        help="only what --plan puts into this part (default: everything, until the time is "
        "up)")  # fmt: skip
    add("--from", type=Path, dest="earlier", metavar="DIR",
        help="--out of an earlier call: what it measured is not measured again, but for "
        "calibrations of other GPUs")  # fmt: skip
    action = parser.add_mutually_exclusive_group().add_argument
    action("--plan", action="store_true", help="show what each part has, and start nothing")
    action("--predict", action="store_true",
        help="write what the calibrations of --from predict of each grid, and start "
        "nothing")  # fmt: skip
    add("--rehearse", action="store_true",
        help="tiny sizes on pretended GPUs, to try all of this; no figure means "
        "anything")  # fmt: skip
    return parser.parse_args()


def described(parts: list[list[Planned]]) -> list[str]:
    """Return a line for each batch, under its part."""
    lines = []
    for number, part in enumerate(parts, 1):
        lines.append(f"part {number}")
        for planned in part:
            words = planned.batch.words
            lines.append(f"  {planned.ends_s:5.0f} s  {len(planned.cases):2} cases  {words}")
    return lines


def show_predictions(arguments: argparse.Namespace) -> int:
    """Write the predictions of every grid that was chosen, and return 0.

    Raises:
        ConfigError: nothing can be predicted.
    """
    cases = [batch for batch in chosen(arguments) if not batch.calibrated]
    grids = dict.fromkeys(batch.grid for batch in cases if batch.profile == MACHINE)
    if not grids:
        raise ConfigError("--only", f"{arguments.only} has no grid that is predicted")
    profiles, _ = write_profiles(Machine(arguments.gpus, arguments.rehearse), arguments.out)
    paths = [arguments.out.resolve() / "grids" / f"{name}.yaml" for name in grids]
    found = predict(paths, (arguments.earlier / "results").resolve(), profiles.resolve())
    print(*write(found, arguments.out / "predicted"), sep="\n", flush=True)
    if not any(each.points or each.bounds for each in found):
        raise ConfigError("--from", f"{arguments.earlier} has no calibration that fits a grid")
    return 0


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
