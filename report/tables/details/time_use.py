"""Table of where the time goes: a row for each GPU of each case."""

from report.analysis.time_use import TimeUse, time_use
from report.data.labels import Labels
from report.data.measured import MeasuredCase
from report.document import Table, join_cells, known_rows
from report.wording.names import gpu_name
from report.wording.quantities import Cell, in_words, time_cell
from report.wording.units import UNKNOWN, percent

CAPTION = "Where the time goes, a step's mean on each GPU (from instrumented steps)"


def make_table(results: list[MeasuredCase]) -> Table:
    """Return the times of each GPU, which add up to its step, and what it computes and is idle.

    The table of bubbles has the layers of each GPU; here, they would break every number in two.
    """
    labels = Labels(results)
    apart = any(u.weight_gradient_s is not None for r in results for u in time_use(r))
    used = [(result, use) for result in results for use in time_use(result)]
    cells = in_words(_cells(use, result, apart) for result, use in used)
    labelled = zip(used, cells, strict=True)
    return known_rows(CAPTION, (join_cells(labels.of(r), found) for (r, _), found in labelled))


def _cells(use: TimeUse, result: MeasuredCase, weights_apart: bool) -> dict[str, Cell]:
    return {
        "GPU": gpu_name(result.case, use.gpu),
        "forward": time_cell(use.forward_s),
        "backward": time_cell(use.backward_s),
        **({"weights' gradients": time_cell(use.weight_gradient_s)} if weights_apart else {}),
        "optimizer step": time_cell(use.optimizer_s),
        "transfer in": time_cell(use.transfer_in_s),
        "transfer out": time_cell(use.transfer_out_s),
        "idle": time_cell(use.idle_s),
        "step": time_cell(use.step_s),
        "computes": percent(use.utilization),
        "is idle": percent(use.idle_s / use.step_s),
        "NVML utilisation": _nvml(use.gpu, result),
    }


def _nvml(gpu: int, result: MeasuredCase) -> str:
    """Return NVML's utilization right after the timed steps; a logical GPU has none."""
    known = result.environment.gpus
    state = None if result.emulated or gpu >= len(known) else known[gpu].after
    return UNKNOWN if state is None or state.utilization is None else percent(state.utilization)
