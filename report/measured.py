"""A result that holds a measurement, with every part present."""

from dataclasses import dataclass

from study.case import Case
from study.result import Environment, Measurement, Placement, Result, Transfers


@dataclass(frozen=True)
class Measured:
    """What tables and answers are made from."""

    case: Case
    emulated: bool
    placement: Placement
    measurement: Measurement
    transfers: Transfers
    environment: Environment

    @property
    def steps_s(self) -> list[float]:
        """The raw step times."""
        return self.measurement.step_times_s


def measured(result: Result) -> Measured | None:
    """The result's measurement, or None for a case that failed."""
    placement, measurement = result.placement, result.measurement
    transfers, environment = result.transfers, result.environment
    if result.outcome != "ok" or placement is None or measurement is None:
        return None
    if transfers is None or environment is None:
        return None
    return Measured(result.case, result.emulated, placement, measurement, transfers, environment)
