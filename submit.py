"""Launch one job for every case of a grid, with exactly as many GPUs as the case needs.

    python submit.py --grid task4                 on Slurm if there is one, else on this machine
    python submit.py --grid task4 --dry-run       show the plan and the sbatch scripts
    python submit.py --grid task4 --predict       what each case would take, by a calibration
    python submit.py --grid task2 --set dim=1024  the same cases with another layer size
    python submit.py --grid task4 --watch         submit, and show the jobs until all have ended
    python submit.py --grid task4 --repeats 5     every case in five jobs
    python submit.py --status                     show the status of every submitted case
    python submit.py --watch                      the same, live, until all have ended
    python submit.py --grid task4 --only failed   run again what failed
    python submit.py --grid task4 --cancel        cancel the jobs of a grid
    python submit.py --grid calibration --for pipeline    measure what predictions of a grid need

Exit codes: 0 done; 1 a case failed or is missing, or Slurm stopped the submission half-way (run the
same command again), or it was interrupted; 2 the input or the set-up is wrong, and nothing was
submitted.
"""

import argparse
import io
import os
import sys
from pathlib import Path
from typing import Any

from study.first_contact import first_contact

with first_contact(needs_linux=True):
    from jobs.executors import drop_outer_job_variables, executor_of
    from jobs.launch import launch, show_dry_run
    from jobs.monitor import Monitor, cancel_jobs, show_status, watch_jobs
    from jobs.order import SubmitOrder
    from jobs.plan import RerunPolicy
    from jobs.preview.show import show_predictions
    from jobs.profile import Profile
    from jobs.profiles import choose_profile
    from jobs.submit_and_watch import submit_and_watch
    from jobs.terminal.next_steps import CommandLine
    from jobs.worker.rank import drop_outer_rank_variables
    from study.calibration.grid import NAME as CALIBRATION
    from study.calibration.grid import calibration_for, check_for, load_all
    from study.case import MAX_REPEATS
    from study.command_line.choices import each_choice, with_lists, without_lists
    from study.command_line.parser import OneLineParser, parse_overrides
    from study.errors import ConfigError, explain
    from study.grids.file import known_grids, load_grids, option_for
    from study.grids.grid import Grid
    from study.outcome import parse_outcomes
    from study.paths import RESULTS, check_results
    from study.storage.store import Store


def main() -> int:
    """Run the command line and return the exit code."""
    arguments = parse_arguments()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="replace")  # whatever the locale
    try:
        return run(arguments)
    except ConfigError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # whoever read our output has gone, as in `submit.py ... | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        print(f"error: {explain(error)}; fix it and run again", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("Interrupted. What has ended is kept; run again to go on.", file=sys.stderr)
        return 1


def parse_arguments() -> argparse.Namespace:
    """Return the options of the command line."""
    parser = OneLineParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        option_for=option_for,
    )
    add = parser.add_argument
    grids = ", ".join(known_grids())
    add("--grid", action="append", default=[], metavar="GRID",
        help=f"one of {grids}, or a YAML file; may be repeated; or {CALIBRATION}")  # fmt: skip
    add("--for", action="append", default=[], metavar="GRID", dest="calibrated",
        help="with --grid calibration: the grid whose steps are to be predicted; may be "
        "repeated")  # fmt: skip
    add("--cluster", default="auto", metavar="PROFILE",
        help="a profile of cluster.yaml (default: on Slurm the one with its cluster_name, else "
        "slurm; without Slurm local)")  # fmt: skip
    add("--set", action="append", default=[], metavar="KEY=VALUE",
        help="override a key of every case, e.g. depth=8; may be repeated")  # fmt: skip
    add("--repeats", type=int, default=1, metavar="N",
        help="measure every case in N jobs, 1 to 1000; the tables then use all of them "
        "(default: 1)")  # fmt: skip
    add("--results", type=Path, default=RESULTS, metavar="DIR",
        help="the folder of results, with a folder for each profile (default: results/ in this "
        "folder)")  # fmt: skip
    action = parser.add_mutually_exclusive_group()
    add = action.add_argument
    add(
        "--dry-run",
        action="store_true",
        help="submit nothing; show the plan and, on Slurm, the sbatch scripts",
    )
    add("--predict", action="store_true",
        help="submit nothing; show what each case would take, from a calibration; --set may have "
        "several values, e.g. gpus=2,4, as with --for")  # fmt: skip
    add("--status", action="store_true", help="show the status of every submitted case")
    add("--watch", action="store_true",
        help="--status, live, until all jobs have ended; with --grid, submit first")  # fmt: skip
    add("--cancel", action="store_true", help="cancel the jobs of the grid, and no others")
    parser.add_argument("--best", choices=("time", "gpu-hours", "memory"),
        help="with --predict: name the cases to ask for")  # fmt: skip
    add = parser.add_argument_group("what runs again").add_argument
    add(
        "--force",
        action="store_true",
        help="run every case; an old result counts until the new one is there",
    )
    add("--only", metavar="OUTCOMES",
        help="run only cases with these outcomes: failed, or e.g. timeout,oom_gpu (default: "
        "cases without a result, and those that were cancelled, preempted or lost, or whose node "
        "failed)")  # fmt: skip
    add("--retries", type=int, default=0, metavar="N",
        help="run a case again after a node failure or time-out, at most N times in a row, on "
        "other nodes than those that failed; with --watch as soon as that is seen "
        "(default: 0)")  # fmt: skip
    add = parser.add_argument_group("limits").add_argument
    add("--max-gpu-hours", type=float, metavar="N",
        help="on Slurm: refuse a plan that could cost more than N GPU-hours, if every job ran to "
        "its time limit (default: no limit)")  # fmt: skip
    add("--requeue", action="store_true",
        help="on Slurm: let it restart a job whose node failed; the result counts "
        "its starts")  # fmt: skip
    return parser.parse_args()


def run(arguments: argparse.Namespace) -> int:
    """Do what the options ask for and return the exit code."""
    refuse_idle_options(arguments)
    ignored = drop_outer_job_variables()
    drop_outer_rank_variables()
    may_choose = arguments.predict or arguments.calibrated
    choices = each_choice(arguments.set) if may_choose else [arguments.set]
    single = without_lists(arguments.set)
    overrides = parse_overrides(single if arguments.calibrated else choices[0])
    check_repeats(arguments.repeats)
    is_submitting = not (arguments.status or arguments.cancel)
    check_for(arguments.grid, arguments.calibrated, is_needed=is_submitting)
    grids = [
        grid.with_overrides(parse_overrides(sets)).with_repeats(arguments.repeats)
        for sets in choices
        for grid in load_all(arguments.grid)
    ]
    profile = choose_profile(arguments.cluster) if arguments.calibrated else None
    if profile is not None:
        grids = [calibrations_of(arguments, [parse_overrides(sets) for sets in choices], profile)]
    policy = parse_policy(arguments)
    if arguments.status:
        return show_status(Monitor(arguments.results, arguments.cluster, grids))
    typed = CommandLine(
        arguments.grid, single, arguments.repeats, arguments.retries,
        arguments.cluster, arguments.results, arguments.calibrated, with_lists(arguments.set),
    )  # fmt: skip
    if arguments.only:
        check_results(arguments.results)  # nothing has failed where nothing was submitted
    if arguments.watch and not grids:
        return watch_jobs(typed)
    if not grids:
        raise ConfigError("--grid", f"missing; name one or more of: {', '.join(known_grids())}")
    if arguments.cancel:
        return cancel_jobs(Monitor(arguments.results, arguments.cluster, grids))
    profile = profile or choose_profile(arguments.cluster)
    order = SubmitOrder(
        grids=grids,
        overrides=overrides,
        executor=executor_of(profile, Store(arguments.results, profile.name), arguments.requeue),
        policy=policy,
        typed=typed,
        is_watched=arguments.watch,
        max_gpu_hours=arguments.max_gpu_hours,
    )
    if ignored and order.executor.in_background:
        print(f"note: left out of jobs: {', '.join(ignored)}; cluster.yaml says what a job gets",
              file=sys.stderr)  # fmt: skip
    if arguments.predict:
        return show_predictions(order, arguments.best)
    if arguments.dry_run:
        return show_dry_run(order)
    return submit_and_watch(order) if arguments.watch else launch(order)


def calibrations_of(
    arguments: argparse.Namespace, choices: list[dict[str, Any]], profile: Profile
) -> Grid:
    """Return the calibrations that `--for` asks for.

    Args:
        arguments: of the command line.
        choices: the `--set` values, once for each combination of those that are several.
        profile: where they would run.

    Raises:
        ConfigError: a grid of `--for` is not there or wrong, or there are several limits of time.
    """
    if len({choice.get("time_limit_s") for choice in choices}) > 1:
        raise ConfigError("--set", "time_limit_s has several values; a calibration takes one")
    grids = [
        grid.with_overrides(choice)
        for grid in load_grids(arguments.calibrated, "--for")
        for choice in choices
    ]
    executor = executor_of(profile, Store(arguments.results, profile.name), arguments.requeue)
    made = calibration_for(grids, choices[0], executor.nodes_of)
    return made.with_repeats(arguments.repeats)


def refuse_idle_options(arguments: argparse.Namespace) -> None:
    """Refuse options that have no effect with --predict, --status, --cancel, or --watch alone."""
    if arguments.best and not arguments.predict:
        raise ConfigError("--best", "has no effect without --predict; add it")
    names = ("predict", "status", "watch", "cancel")
    actions = [name for name in names if getattr(arguments, name)]
    if arguments.watch and arguments.grid:
        return  # it submits
    how = "; with --grid it submits" if arguments.watch else ""
    without = ("force", "only", "requeue", "max_gpu_hours", "retries")
    for option in without if actions else ():
        if getattr(arguments, option):
            name = option.replace("_", "-")
            raise ConfigError(f"--{name}", f"has no effect with --{actions[0]}{how}; remove it")


def check_repeats(repeats: int) -> None:
    """Refuse a number of jobs that no case can have."""
    if not 1 <= repeats <= MAX_REPEATS:
        raise ConfigError("--repeats", f"{repeats} is not a whole number from 1 to {MAX_REPEATS}")


def parse_policy(arguments: argparse.Namespace) -> RerunPolicy:
    """Return which cases run again.

    Raises:
        ConfigError: options contradict one another, or a number is out of range.
    """
    if arguments.retries < 0:
        raise ConfigError("--retries", f"{arguments.retries} is below 0; give 0 or more")
    if arguments.max_gpu_hours is not None and not arguments.max_gpu_hours > 0:
        raise ConfigError("--max-gpu-hours", f"{arguments.max_gpu_hours:g} is not above 0")
    if arguments.force and arguments.only:
        raise ConfigError("--only", "contradicts --force, which runs every case; give one of them")
    only = parse_outcomes(arguments.only, "--only") if arguments.only is not None else None
    return RerunPolicy(arguments.force, only, arguments.retries)


if __name__ == "__main__":
    sys.exit(main())
