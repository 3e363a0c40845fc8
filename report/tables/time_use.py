"""Table of where the time goes: a row for each GPU of each case."""

from collections.abc import Iterator

from report.analysis.time_use import TimeUse, time_use
from report.data.labels import Labels
from report.data.measured import MeasuredCase
from report.document import Table, known_rows
from report.wording.units import UNKNOWN, percent, seconds

CAPTION = "Where the time goes, a step's mean on each GPU (from steps with marks)"


def make_table(results: list[MeasuredCase]) -> Table:
    """Return times and their shares of the step of the same row; they add up to it."""
    labels = Labels(results)
    apart = any(u.weight_gradient_s is not None for r in results for u in time_use(r))
    labelled = ((labels.of(result), _rows_of(result, apart)) for result in results)
    return known_rows(CAPTION, (label | cells for label, rows in labelled for cells in rows))


def _rows_of(result: MeasuredCase, weights_apart: bool) -> Iterator[dict[str, str]]:
    return (_cells(use, result, weights_apart) for use in time_use(result))


def _cells(use: TimeUse, result: MeasuredCase, weights_apart: bool) -> dict[str, str]:
    step_s = use.step_s

    def part(value: float | None) -> str:
        return UNKNOWN if value is None else f"{seconds(value)} ({percent(value / step_s)})"

    return {
        "GPU": str(use.gpu),
        "forward": part(use.forward_s),
        "backward": part(use.backward_s),
        **({"of it weights": part(use.weight_gradient_s)} if weights_apart else {}),
        "optimizer": part(use.optimizer_s),
        "transfer in": part(use.transfer_in_s),
        "transfer out": part(use.transfer_out_s),
        "idle": part(use.idle_s),
        "computes": percent(use.compute_s / step_s),
        "NVML says": _nvml(use.gpu, result),
    }


def _nvml(gpu: int, result: MeasuredCase) -> str:
    """Return NVML's utilization right after the timed steps; a logical GPU has none."""
    gpus = result.environment.gpus
    state = None if result.emulated or gpu >= len(gpus) else gpus[gpu].after
    return UNKNOWN if state is None or state.utilization is None else percent(state.utilization)
