"""The contestants of benchmarks/pipelines.py: who trains the stack, and how."""

from argparse import Namespace
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from study.case import Case
from study.schedules import PIPELINES, SCHEDULES
from study.validation import make_case

Who = Literal["naive", "one GPU", "torch", "torchgpipe", "ours"]
GRADIENTS = ("separate", "fused")
EXECUTIONS = ("eager", "cuda_graph")


@dataclass(frozen=True)
class Entry:
    """One way to train the stack.

    Attributes:
        who: `naive` is a pipeline of one micro-batch, `one GPU` has the whole batch on one GPU,
            `torch` is a loop around torch's own classes.
        schedule: of `torch` and `ours`.
        micro_batches: of a pipeline; 0 for what is none.
        gradients: of our pipelines.
        execution: of ours; the others are eager.
    """

    who: Who
    schedule: str = ""
    micro_batches: int = 0
    gradients: str = ""
    execution: str = "eager"

    @property
    def is_graph(self) -> bool:
        """True if a step is one CUDA graph a rank."""
        return self.execution == "cuda_graph"

    @property
    def label(self) -> str:
        """The name in the table."""
        schedule = SCHEDULES[self.schedule].label if self.schedule else ""
        execution = {"eager": "eager", "cuda_graph": "graph"}[self.execution]
        parts = [self.who, schedule, self.gradients, execution if self.who == "ours" else ""]
        size = f", m = {self.micro_batches}" if self.micro_batches else ""
        return " ".join(part for part in parts if part) + size


@dataclass(frozen=True)
class Group:
    """Contestants that take turns in the same rounds.

    Attributes:
        name: for people.
        entries: naive first, and those with a graph last.
    """

    name: str
    entries: tuple[Entry, ...]


def case_of(entry: Entry, sizes: Namespace) -> Case:
    """Return the case of an entry; for `torch` and torchgpipe, the one that is cut alike.

    Raises:
        ConfigError: these sizes do not allow it.
    """
    keys = {key: getattr(sizes, key) for key in ("gpus", "depth", "dim", "batch_size", "dtype")}
    if entry.who == "one GPU":
        return make_case(keys | {"gpus": 1}, "sizes")
    keys |= {"schedule": entry.schedule or "gpipe"}
    if entry.micro_batches:
        keys |= {"micro_batches": entry.micro_batches, "balance": sizes.balance}
        keys |= {"gradients": entry.gradients or "separate"}  # torch's own is separate
    if entry.who == "ours":
        keys |= {"execution": entry.execution}
    return make_case(keys, "sizes")


def groups_of(
    micro_batches: list[int], schedules: list[str], executions: Sequence[str] = EXECUTIONS
) -> list[Group]:
    """Return the groups, that of data parallelism behind the first of pipelines.

    Args:
        micro_batches: a group of pipelines for each number.
        schedules: of torch and of ours.
        executions: of ours.
    """
    pipelines = [schedule for schedule in schedules if SCHEDULES[schedule].is_pipeline]
    data = [schedule for schedule in schedules if not SCHEDULES[schedule].is_pipeline]
    found = [
        Group(f"{count} micro-batches", (*_rivals(), *_of_pipelines(pipelines, count, executions)))
        for count in micro_batches
        if pipelines
    ]
    if data:
        found.insert(1, Group("data parallelism", (*_rivals(), *_of_data(data, executions))))
    return found


def schedules_there_are() -> list[str]:
    """Return the schedules that are compared with torch's."""
    return [*PIPELINES, "ddp", "fsdp"]


def _rivals() -> Iterator[Entry]:
    yield Entry("naive")
    yield Entry("one GPU")


def _of_pipelines(schedules: list[str], count: int, executions: Sequence[str]) -> Iterator[Entry]:
    for schedule in schedules:
        yield Entry("torch", schedule, count)
    yield Entry("torchgpipe", "", count)
    for execution in executions:
        for schedule in schedules:
            for gradients in GRADIENTS:
                yield Entry("ours", schedule, count, gradients, execution)


def _of_data(schedules: list[str], executions: Sequence[str]) -> Iterator[Entry]:
    for schedule in schedules:
        yield Entry("torch", schedule)
    for execution in executions:
        for schedule in schedules:
            yield Entry("ours", schedule, execution=execution)
