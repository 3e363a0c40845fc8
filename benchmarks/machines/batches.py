"""What a machine measures, the most valuable first."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from study.calibration.grid import NAME as CALIBRATION
from study.calibration.grid import calibration_for
from study.case import Case
from study.command_line.parser import parse_overrides
from study.grids.file import load_grids

SECTIONS = (CALIBRATION, "homework", "linear", "nodes", "transformers", "held-out")
MACHINE, TWO_NODES = "machine", "two-nodes"  # profiles
# Grids that one calibration predicts, and seconds of measuring. On four H200s, 2026-11-27, that of
# five sizes of micro-batches took its 60 s on one GPU and 46 s on two.
CALIBRATED = (
    (
        (
            "schedules",
            "pipelines",
            "graphs",
            "held-out-deep",
            "held-out-replicas",
            "held-out-batch",
        ),
        60,
    ),
    (("gpt", "gpt-balance", "gpt-graphs"), 60),
    (("held-out-wide",), 35),
    (("held-out-gpt",), 35),
)
OF_A_REHEARSAL_S = 6


@dataclass(frozen=True)
class Batch:
    """Cases of one grid that are submitted by one command.

    Attributes:
        section: the part of the study that it is for.
        grid: the name of a grid file.
        sets: what `--set` keeps of it.
        profile: of cluster.yaml.
        emulated: more GPUs than there are, which share one.
        forced: submitted also where a GPU's memory cannot hold a case, which is to be shown, and
            where there is a result already.
        calibrated: the grids whose calibrations its cases are; `grid` is then `calibration`.
    """

    section: str
    grid: str
    sets: tuple[str, ...] = ()
    profile: str = MACHINE
    emulated: bool = False
    forced: bool = False
    calibrated: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """Its name for people."""
        if self.calibrated:
            return f"{CALIBRATION} of {', '.join(self.calibrated)}"
        return " ".join((self.grid, *self.sets))

    @property
    def phase(self) -> tuple[str, bool]:
        """What differs between batches that never run at the same time.

        Calibrations come before all cases: what is submitted earlier has no predictions.
        """
        return self.profile, bool(self.calibrated)

    def options(self, folder: Path) -> list[str]:
        """Return the options of submit.py that name its cases."""
        keys = [word for text in self.sets for word in ("--set", text)]
        return [*self._grids(folder), *keys, *["--force"] * self.forced]

    def _grids(self, folder: Path) -> list[str]:
        if not self.calibrated:
            return ["--grid", str(folder / f"{self.grid}.yaml")]
        paths = (str(folder / f"{name}.yaml") for name in self.calibrated)
        return ["--grid", CALIBRATION, *(word for path in paths for word in ("--for", path))]

    def cases(self, folder: Path) -> list[Case]:
        """Return its cases, in the order in which they are submitted."""
        overrides = parse_overrides(list(self.sets))
        paths = [str(folder / f"{name}.yaml") for name in self.calibrated or (self.grid,)]
        grids = [grid.with_overrides(overrides) for grid in load_grids(paths)]
        if self.calibrated:
            return calibration_for(grids, overrides, lambda _: 1).cases()
        return [case for grid in grids for case in grid.cases()]


def batches(gpus: int, *, on_cpus: bool) -> Iterator[Batch]:
    """Yield everything for a machine of `gpus` GPUs, the most valuable first.

    Calibrations run beside one another, so that the host serves as many processes as it does for
    cases of all GPUs. Jobs of all GPUs stand together, and jobs of few too: where the number
    changes, GPUs wait for the last of the jobs before.

    Args:
        gpus: a power of two.
        on_cpus: leave out what needs a GPU.
    """
    yield from _calibrations(on_cpus=on_cpus)
    yield from _homework(gpus)
    yield _of("linear", "schedules", f"gpus={gpus}")
    few = [2**power for power in reversed(range(gpus.bit_length() - 1))]
    if gpus <= 4:
        yield from (_of("linear", "schedules", f"gpus={count}") for count in few)
    yield from _pipelines(gpus, "separate", 16)
    yield Batch("nodes", "nodes", profile=TWO_NODES)
    if gpus > 4:
        yield from (_of("linear", "schedules", f"gpus={count}") for count in few)
    yield from _pipelines(gpus, "fused", 8)
    if not on_cpus:
        yield _of("linear", "graphs", "execution=cuda_graph")
    yield _of("transformers", "gpt", f"gpus={gpus}")
    yield from (_of("transformers", "gpt", f"gpus={count}") for count in few if count > 1)
    yield _of("transformers", "gpt", "gpus=1", "schedule=naive")
    yield from _held_out(gpus)
    yield from (_too_large(count) for count in sorted(few))
    yield _of("transformers", "gpt-balance")
    yield _too_large(gpus)
    yield _of("transformers", "gpt-graphs")
    yield _of("transformers", "gpt", "gpus=1")
    yield from _pipelines(gpus, "fused", 16)


def _of(section: str, grid: str, *sets: str) -> Batch:
    return Batch(section, grid, sets)


def _too_large(gpus: int) -> Batch:
    return Batch("transformers", "gpt-batch", (f"gpus={gpus}",), forced=True)


def _pipelines(gpus: int, gradients: str, micro_batches: int) -> Iterator[Batch]:
    sets = (f"gradients={gradients}", f"micro_batches={micro_batches}")
    yield _of("linear", "pipelines", f"gpus={gpus}", *sets)


def _calibrations(*, on_cpus: bool) -> Iterator[Batch]:
    for grids, seconds in CALIBRATED:
        limit = f"time_limit_s={OF_A_REHEARSAL_S if on_cpus else seconds}"
        yield Batch(CALIBRATION, CALIBRATION, (limit,), forced=True, calibrated=grids)


def _held_out(gpus: int) -> Iterator[Batch]:
    """Yield what no prediction was made with, on all GPUs and on half of them."""
    both = ("held-out-wide", "held-out-deep", "held-out-gpt")
    of_all = (*both, "held-out-replicas", "held-out-batch")
    yield from (_of("held-out", grid, f"gpus={gpus}") for grid in of_all)
    yield from (_of("held-out", grid, f"gpus={gpus // 2}") for grid in both)


def _homework(gpus: int) -> Iterator[Batch]:
    """Yield the homework, in an order that leaves few GPUs idle."""
    for task in ("task1", "task2", "task4"):
        yield _of("homework", task, "gpus=2")
    counts = range(1, max(5, gpus) + 1)
    large = [count for count in counts if gpus // 2 < count <= gpus]
    small = [count for count in counts if count <= gpus // 2]
    for count in reversed(large):  # each beside one that takes the rest
        yield _of("homework", "task3", f"gpus={count}")
        if gpus - count in small:
            yield _of("homework", "task3", f"gpus={gpus - count}")
    yield from (_of("homework", "task3", f"gpus={count}") for count in small)
    more = (count for count in counts if count > gpus)
    yield from (Batch("homework", "task3", (f"gpus={n}",), emulated=True) for n in more)
