"""What a machine measures, the most valuable first."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from study.case import Case
from study.command_line.parser import parse_overrides
from study.grids.file import load_grids

SECTIONS = ("homework", "schedules", "nodes", "gpt")
MACHINE, TWO_NODES = "machine", "two-nodes"  # profiles


@dataclass(frozen=True)
class Batch:
    """Cases of one grid that are submitted by one command.

    Attributes:
        section: the part of the study that it is for.
        grid: the name of a grid file.
        sets: what `--set` keeps of it.
        profile: of cluster.yaml.
        emulated: more GPUs than there are, which share one.
        forced: submitted also where a GPU's memory cannot hold a case, which is to be shown.
    """

    section: str
    grid: str
    sets: tuple[str, ...] = ()
    profile: str = MACHINE
    emulated: bool = False
    forced: bool = False

    def options(self, folder: Path) -> list[str]:
        """Return the options of submit.py that name its cases."""
        keys = [word for text in self.sets for word in ("--set", text)]
        return ["--grid", str(folder / f"{self.grid}.yaml"), *keys, *["--force"] * self.forced]

    def cases(self, folder: Path) -> list[Case]:
        """Return its cases, in the order in which they are submitted."""
        overrides = parse_overrides(list(self.sets))
        return [
            case
            for grid in load_grids([str(folder / f"{self.grid}.yaml")])
            for case in grid.with_overrides(overrides).cases()
        ]


def batches(gpus: int, *, on_cpus: bool) -> Iterator[Batch]:
    """Yield everything for a machine of `gpus` GPUs, the most valuable first.

    Jobs of all GPUs stand together, and jobs of few too: where the number changes, GPUs wait for
    the last of the jobs before.

    Args:
        gpus: a power of two.
        on_cpus: leave out what needs a GPU.
    """
    yield from _homework(gpus)
    everything = _of("schedules", "schedules", f"gpus={gpus}")
    yield everything
    few = [2**power for power in reversed(range(gpus.bit_length() - 1))]
    if gpus <= 4:
        yield from (_of("schedules", "schedules", f"gpus={count}") for count in few)
    yield from _pipelines(gpus, "separate", 16)
    yield Batch("nodes", "nodes", profile=TWO_NODES)
    if gpus > 4:
        yield from (_of("schedules", "schedules", f"gpus={count}") for count in few)
    yield from _pipelines(gpus, "fused", 8)
    if not on_cpus:
        yield _of("schedules", "graphs", "execution=cuda_graph")
    yield _of("gpt", "gpt", f"gpus={gpus}")
    yield from (_of("gpt", "gpt", f"gpus={count}") for count in few if count > 1)
    yield _of("gpt", "gpt", "gpus=1", "schedule=naive")
    yield from (_too_large(count) for count in sorted(few))
    yield _of("gpt", "gpt-balance")
    yield _too_large(gpus)
    yield _of("gpt", "gpt-graphs")
    yield _of("gpt", "gpt", "gpus=1")
    yield from _pipelines(gpus, "fused", 16)


def _of(section: str, grid: str, *sets: str) -> Batch:
    return Batch(section, grid, sets)


def _too_large(gpus: int) -> Batch:
    return Batch("gpt", "gpt-batch", (f"gpus={gpus}",), forced=True)


def _pipelines(gpus: int, gradients: str, micro_batches: int) -> Iterator[Batch]:
    sets = (f"gradients={gradients}", f"micro_batches={micro_batches}")
    yield _of("schedules", "pipelines", f"gpus={gpus}", *sets)


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
