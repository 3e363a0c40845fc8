"""The `--set` of one value of an axis that leaves out the cases of a plan that cannot fit."""

from collections.abc import Collection, Iterator, Sequence

from study.case import Case
from study.command_line.parser import parse_overrides
from study.errors import ConfigError
from study.grids.grid import Grid


def how_to_leave_out(
    grids: Sequence[Grid], to_run: Collection[Case], too_large: Collection[Case]
) -> str:
    """Return which `--set` keeps the most cases, and none that cannot fit; empty without one.

    Args:
        grids: of the plan.
        to_run: its cases that are to run.
        too_large: those of them that cannot fit.
    """
    everything = {case for grid in grids for case in grid.cases()}
    best, most = "", 0
    for words in _choices(grids):
        try:
            overrides = parse_overrides([words])
            kept = {case for grid in grids for case in grid.with_overrides(overrides).cases()}
        except ConfigError:
            continue
        run = kept.intersection(to_run)
        if kept <= everything and run.isdisjoint(too_large) and len(run) > most:
            best, most = words, len(run)
    return (
        f"add --set {best} to leave out what cannot ({most} of {len(to_run)} run)" if best else ""
    )


def _choices(grids: Sequence[Grid]) -> Iterator[str]:
    """Yield every number or word of an axis that all grids have, e.g. `gpus=4`."""
    shared = set.intersection(*({*grid.axes} for grid in grids)) if grids else set()
    for key in (key for key in grids[0].axes if key in shared) if grids else ():
        for value in dict.fromkeys(v for grid in grids for v in grid.axes[key]):
            if isinstance(value, int | str):
                yield f"{key}={value}"
