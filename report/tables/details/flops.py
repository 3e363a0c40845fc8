"""Table of achieved FLOP/s against the fastest matrix product of the same job."""

from dataclasses import replace

from report.analysis.flops import achieved_flop_per_s, fastest_product, step_flops
from report.data.labels import Labels
from report.data.measured import MeasuredCase
from report.document import Table, join_cells, known_rows
from report.wording.quantities import Cell, in_words, rate_cell
from report.wording.units import UNKNOWN, percent

CAPTION = "Achieved FLOP/s against the fastest matrix product measured"
ABOVE = (
    "Above 100 %: the steps ran faster than that matrix product did alone in the same job, as they "
    "can where clocks were higher by then."
)
LIMIT = (
    "The limit is one GPU's product for the naive schedule, which has one GPU at work at a time, "
    "and the sum of all GPUs for other schedules."
)


def make_table(results: list[MeasuredCase]) -> Table:
    """Return a row for each case.

    The limit is one GPU for naive, which uses one GPU at a time, and all GPUs for other schedules.
    It is unknown for processes that share a CPU.
    """
    labels = Labels(results)
    cells = in_words(map(_cells, results))
    rows = zip(results, cells, strict=True)
    table = known_rows(CAPTION, (join_cells(labels.of(r), found) for r, found in rows))
    notes = [LIMIT] if any(result.case.in_processes for result in results) else []
    if any(share is not None and share > 1 for r in results for share in _shares(r)):
        notes.append(ABOVE)
    return replace(table, notes=notes)


def _cells(result: MeasuredCase) -> dict[str, Cell]:
    achieved, fastest = achieved_flop_per_s(result), fastest_product(result)
    peak, sustained = (UNKNOWN if s is None else percent(s) for s in _shares(result))
    return {
        "operations a step": rate_cell(step_flops(result.case, result.model), "FLOP"),
        "achieved": rate_cell(achieved, "FLOP/s"),
        "peak": rate_cell(fastest.flop_per_s, "FLOP/s"),
        "% of peak": peak,
        "sustained": rate_cell(fastest.sustained_flop_per_s, "FLOP/s"),
        "% of sustained": sustained,
        "product (m × n × k)": f"{fastest.m} × {fastest.n} × {fastest.k}, {fastest.dtype}",
    }


def _shares(result: MeasuredCase) -> tuple[float | None, float | None]:
    """Return the shares of the peak and of the sustained rate of all GPUs that may work at once."""
    fastest, apart = fastest_product(result), result.case.in_processes
    achieved = achieved_flop_per_s(result)
    if achieved is None or (apart and result.emulated):
        return None, None
    each = achieved / (result.case.gpus if apart else 1)
    return each / fastest.flop_per_s, each / fastest.sustained_flop_per_s
