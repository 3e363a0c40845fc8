"""Table of what more GPUs bring, for grids whose main table has no room for it."""

from report.data.labels import Labels
from report.data.measured import MeasuredCase
from report.document import Table, join_cells, known_rows
from report.tables.cells.field import Field
from report.tables.columns import COLUMNS, has_many_gpus
from report.wording.quantities import in_words

CAPTION = "What more GPUs bring and cost"
OF_MODELS = ("items_per_s_per_gpu",)
KEYS = ("step_time", *(key for key, column in COLUMNS.items()
                       if column.needs_gpu_counts and key not in OF_MODELS))  # fmt: skip


def make_table(results: list[MeasuredCase]) -> Table:
    """Return a row for each case, if the cases have several GPU counts and many GPUs."""
    field, labels = Field(results), Labels(results)
    wanted = field.has_gpu_counts and has_many_gpus(["memory"], results)
    shown = results if wanted else []
    cells = in_words(join_cells(*(COLUMNS[key].cells(r, field) for key in KEYS)) for r in shown)
    rows = (join_cells(labels.of(r), found) for r, found in zip(shown, cells, strict=True))
    return known_rows(CAPTION, rows)
