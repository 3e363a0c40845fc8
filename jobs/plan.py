"""The plan: which cases to run, which to leave out, and why."""

from dataclasses import dataclass
from typing import Any

from jobs.profile import Profile
from study.case import Case
from study.errors import ConfigError
from study.grid import Grid
from study.result_file import ResultError, decode
from study.store import Store
from study.submissions import Submission, last_of_each_case, read


@dataclass(frozen=True)
class Item:
    """A case of the plan. `left_out` says why it will not run; None means it will."""

    case: Case
    grid: str
    overrides: dict[str, Any]
    left_out: str | None
    failed: bool = False


def make_plan(
    grids: list[Grid],
    overrides: dict[str, Any],
    profile: Profile,
    store: Store,
    live: dict[str, str],
    force: bool,
) -> list[Item]:
    """Every case of the grids once, checked against what the profile's machines can run."""
    last = last_of_each_case(read(store.submissions)[0])
    items: dict[Case, Item] = {}
    for grid in grids:
        for case in grid.cases():
            check_possible(case, profile, grid)
            if case not in items:
                event = last.get(case.case_id)
                job_id = event.job_id if isinstance(event, Submission) else None
                items[case] = _item(case, grid, overrides, store, live, job_id, force)
    return list(items.values())


def check_possible(case: Case, profile: Profile, grid: Grid) -> None:
    """Refuse a case that this profile's machines can never run."""
    if profile.gpus_per_node is not None and case.gpus > profile.gpus_per_node:
        raise ConfigError(
            grid.source,
            f"gpus: {case.gpus} is more than the {profile.gpus_per_node} GPUs of a node "
            f"({profile.source}); use fewer GPUs or another profile",
        )
    if profile.device == "cpu" and case.dtype == "tf32":
        raise ConfigError(
            grid.source, f"dtype: tf32 needs a GPU, and {profile.source} has device: cpu"
        )


def _item(
    case: Case,
    grid: Grid,
    overrides: dict[str, Any],
    store: Store,
    live: dict[str, str],
    job_id: str | None,
    force: bool,
) -> Item:
    if job_id in live:
        return Item(case, grid.name, overrides, f"job {job_id} is {live[job_id]}")
    path = store.result_path(case)
    if force or not path.exists():
        return Item(case, grid.name, overrides, None)
    try:
        outcome = decode(path.read_bytes()).outcome
    except (OSError, ResultError) as error:
        return Item(case, grid.name, overrides, f"{path} {error}; --force replaces it", failed=True)
    if outcome == "ok":
        return Item(case, grid.name, overrides, "has a result")
    reason = f"has failed ({outcome}); --force runs it again"
    return Item(case, grid.name, overrides, reason, failed=True)


def to_run(items: list[Item]) -> list[Item]:
    """The items that are not left out."""
    return [item for item in items if item.left_out is None]
