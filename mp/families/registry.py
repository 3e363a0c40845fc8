"""The family of each kind of model."""

from collections.abc import Callable

from mp.families.conv import ResNet
from mp.families.factory import Factory
from mp.families.gpt import Gpt
from mp.families.linear import LinearStack
from mp.workload import Workload
from study.case import Case
from study.errors import CaseError

FAMILIES: dict[str, Callable[[Case], Workload]] = {
    "linear": LinearStack,
    "gpt": Gpt,
    "conv": ResNet,
    "factory": Factory,
}


def workload_of(case: Case) -> Workload:
    """Return what the case trains.

    Raises:
        CaseError: its kind is not one that trains here.
    """
    if case.kind not in FAMILIES:
        raise CaseError(f"kind: {case.kind} trains no model here; use {', '.join(FAMILIES)}")
    return FAMILIES[case.kind](case)
