"""Table of achieved FLOP/s against the fastest matrix product of the same job."""

from report.analysis.flops import achieved_flop_per_s, fastest_product, step_flops
from report.data.labels import Labels
from report.data.measured import MeasuredCase
from report.document import Table, known_rows
from report.wording.units import UNKNOWN, flop_rate, percent

CAPTION = (
    "Distance from the limit: matrix products of a step, and the fastest on each GPU that may "
    "work at a time"
)


def make_table(results: list[MeasuredCase]) -> Table:
    """Return a row for each case.

    The limit is one GPU for naive, which uses one GPU at a time, and all GPUs for other schedules.
    It is unknown for processes that share a CPU.
    """
    labels = Labels(results)
    return known_rows(CAPTION, (labels.of(result) | _cells(result) for result in results))


def _cells(result: MeasuredCase) -> dict[str, str]:
    achieved, fastest = achieved_flop_per_s(result), fastest_product(result)
    apart = result.case.in_processes

    def share(limit: float) -> str:
        gpus = result.case.gpus if apart else 1
        return UNKNOWN if apart and result.emulated else percent(achieved / (gpus * limit))

    return {
        "operations a step": f"{step_flops(result.case):.4g}",
        "achieved": flop_rate(achieved),
        "fastest product": flop_rate(fastest.flop_per_s),
        "its shape (m × n × k)": f"{fastest.m} × {fastest.n} × {fastest.k}, {fastest.dtype}",
        "share of it": share(fastest.flop_per_s),
        "sustained": flop_rate(fastest.sustained_flop_per_s),
        "share of that": share(fastest.sustained_flop_per_s),
    }
