"""Launch one job for every case of a grid, asking for exactly that many GPUs.

python submit.py --grid task4                 on Slurm where there is one, else right here
python submit.py --grid task4 --dry-run       show the plan and the sbatch scripts
python submit.py --grid task2 --set dim=1024  the same cases with another layer size
"""

import argparse
import os
import sys
from pathlib import Path
from typing import Any

from jobs.lock import only_one
from jobs.plan import Item, make_plan, to_run
from jobs.profile import Profile, choose_profile
from jobs.slurm_commands import live_jobs
from jobs.terminal import (
    print_how_to_watch,
    print_plan,
    print_request,
    print_results,
    print_submission,
)
from study.case import parse_value
from study.command_line import OneLineParser
from study.errors import ConfigError
from study.grid import known_grids, load_grids
from study.store import Store


def main() -> int:
    arguments = parse_arguments()
    try:
        return run(arguments)
    except ConfigError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # whoever read our output has gone, as in `submit.py ... | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        print(
            "Interrupted. Finished cases keep their results; run again to go on.", file=sys.stderr
        )
        return 1


def parse_arguments() -> argparse.Namespace:
    parser = OneLineParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--grid",
        action="append",
        required=True,
        metavar="GRID",
        help=f"one of {', '.join(known_grids())}, or a YAML file; may be given more than once",
    )
    parser.add_argument(
        "--cluster", default="auto", metavar="PROFILE", help="a profile of cluster.yaml"
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="override a key of every case, e.g. depth=8; may be given more than once",
    )
    parser.add_argument("--results", type=Path, default=Path("results"), metavar="DIR")
    parser.add_argument("--dry-run", action="store_true", help="submit nothing, show everything")
    parser.add_argument(
        "--force", action="store_true", help="run again what has a result; the old one is kept"
    )
    return parser.parse_args()


def run(arguments: argparse.Namespace) -> int:
    overrides = parse_overrides(arguments.set)
    grids = [grid.with_overrides(overrides) for grid in load_grids(arguments.grid)]
    profile = choose_profile(arguments.cluster)
    store = Store(arguments.results, profile.name)

    def plan() -> list[Item]:
        on_slurm = profile.executor == "slurm"
        live = live_jobs(needed=not arguments.dry_run) if on_slurm else {}
        return make_plan(grids, overrides, profile, store, live, arguments.force)

    if arguments.dry_run:
        return show_dry_run(plan(), profile, store)
    check_jobs(plan(), profile, store)
    store.prepare()
    with only_one(store):
        items = plan()  # again: another submit.py may have ended just now
        return start_jobs(items, profile, store)


def check_jobs(items: list[Item], profile: Profile, store: Store) -> None:
    """Let Slurm refuse before anything is written or queued."""
    if profile.executor == "slurm":
        from jobs.slurm import check_with_slurm

        check_with_slurm(to_run(items), profile, store)


def show_dry_run(items: list[Item], profile: Profile, store: Store) -> int:
    """Print the plan and every sbatch script."""
    print_plan(items, profile)
    print_request(to_run(items), profile)
    if profile.executor == "slurm":
        from jobs.slurm import executor_for

        for item in to_run(items):
            print(f"\n# sbatch script of {item.case.case_id}")
            print(executor_for(item, profile, store).script())
    print("\nDry run: nothing was submitted.")
    return 0


def start_jobs(items: list[Item], profile: Profile, store: Store) -> int:
    """Submit, or run here; 1 if a case failed, now or before."""
    print_plan(items, profile)
    failed_before = any(item.failed for item in items)
    if profile.executor == "slurm":
        from jobs.slurm import submit_job

        print_request(to_run(items), profile)
        submissions = []
        for item in to_run(items):
            submissions.append(submit_job(item, profile, store))
            print_submission(submissions[-1])
        print_how_to_watch(submissions)
        return int(failed_before)

    from jobs.local import run_locally

    results = run_locally(to_run(items), profile, store)
    print_results(results, store)
    return int(failed_before or any(r is None or r.outcome != "ok" for r in results))


def parse_overrides(texts: list[str]) -> dict[str, Any]:
    """`--set` arguments as checked values by key."""
    overrides: dict[str, Any] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals:
            raise ConfigError("--set", f"{text!r} is not KEY=VALUE; write e.g. depth=8")
        if key in overrides:
            raise ConfigError("--set", f"{key} is given twice; give it once")
        overrides[key] = parse_value(key, value, "--set")
    return overrides


if __name__ == "__main__":
    sys.exit(main())
