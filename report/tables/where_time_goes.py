"""Where the time goes: a row for each GPU of each case."""

from report.document import Table, known_rows
from report.measured import Measured
from report.tables.label import Labels
from report.time_use import TimeUse, time_use
from report.units import UNKNOWN, percent, seconds
from study.environment import GpuState

CAPTION = "Where the time goes, a step's mean on each GPU (from steps with marks)"


def make_table(results: list[Measured]) -> Table:
    """Shares are of the step of the same row; they add up to it."""
    labels = Labels(results)
    uses = [(result, use) for result in results for use in time_use(result)]
    apart = any(use.weight_gradient_s is not None for _, use in uses)
    return known_rows(CAPTION, (labels.of(r) | _cells(use, r, apart) for r, use in uses))


def _cells(use: TimeUse, result: Measured, weights_apart: bool) -> dict[str, str]:
    def part(value: float | None) -> str:
        return UNKNOWN if value is None else f"{seconds(value)} ({percent(value / use.step_s)})"

    return {
        "GPU": str(use.gpu),
        "forward": part(use.forward_s),
        "backward": part(use.backward_s),
        **({"of it weights": part(use.weight_gradient_s)} if weights_apart else {}),
        "optimizer": part(use.optimizer_s),
        "transfer in": part(use.transfer_in_s),
        "transfer out": part(use.transfer_out_s),
        "idle": part(use.idle_s),
        "computes": percent(use.utilisation),
        "NVML says": _nvml(use.gpu, result),
    }


def _nvml(gpu: int, result: Measured) -> str:
    """NVML's utilisation as a contrast; a logical GPU has none of its own."""
    state = None if result.emulated else state_after(gpu, result)
    return UNKNOWN if state is None or state.utilization is None else percent(state.utilization)


def state_after(gpu: int, result: Measured) -> GpuState | None:
    """The state of a real GPU right after the timed steps."""
    gpus = result.environment.gpus
    return gpus[gpu].after if gpu < len(gpus) else None
