"""Lay a job out: on how many nodes it runs, and its tasks and GPUs on each of them."""

from dataclasses import dataclass

from study.case import Case

_MANY = 12


@dataclass(frozen=True)
class JobLayout:
    """Equal numbers of tasks and GPUs on every node of a job; a task is a process."""

    nodes: int
    tasks_per_node: int
    gpus_per_node: int


def layout_of(gpus: int, in_processes: bool, most: int | None, least_nodes: int = 1) -> JobLayout:
    """Return one task with all GPUs, or a task for each GPU on as few nodes as have enough.

    Args:
        gpus: of the job.
        in_processes: a task for each GPU.
        most: the GPUs that a node has; None is no limit.
        least_nodes: that the job needs to measure what passes between nodes.
    """
    if not in_processes:
        return JobLayout(1, 1, gpus)
    nodes = max(least_nodes, _nodes_for(gpus, most))
    return JobLayout(nodes, gpus // nodes, gpus // nodes)


def nodes_of(case: Case, most: int | None) -> int:
    """Return on how many nodes of `most` GPUs the case's job runs."""
    return layout_of(case.gpus, case.in_processes, most, case.least_nodes).nodes


def why_impossible(case: Case, most: int | None) -> str | None:
    """Return why nodes of `most` GPUs cannot hold the case, and what to do; None if they can."""
    if most is None or case.gpus <= most:
        return None
    if case.kind == "program":
        return (
            f"gpus: {case.gpus} is more than the {most} GPUs of a node, and a program runs on one; "
            "use fewer GPUs or another profile"
        )
    if not case.in_processes:
        return (
            f"gpus: {case.gpus} is more than the {most} GPUs of a node, and schedule: "
            f"{case.schedule} runs on one; use fewer GPUs, another profile or another schedule"
        )
    if _is_even(case.gpus, most):
        return None
    nodes = _nodes_for(case.gpus, most)
    near = range((nodes - 1) * most, nodes * most + 1)
    even = [str(gpus) for gpus in near if _is_even(gpus, most)]
    fit = ", ".join(even[:_MANY]) + (", ..." if even[_MANY:] else "")
    return (
        f"gpus: {case.gpus} do not divide evenly over {nodes} nodes of {most} GPUs; use e.g. {fit}"
    )


def _nodes_for(gpus: int, most: int | None) -> int:
    return 1 if most is None else -(-gpus // most)


def _is_even(gpus: int, most: int) -> bool:
    return gpus % _nodes_for(gpus, most) == 0
