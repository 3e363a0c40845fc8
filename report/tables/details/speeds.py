"""Table of each schedule's speed over the naive one, with intervals."""

from report.analysis.speedup import Factor, factor_over, naive_on
from report.data.labels import Labels
from report.data.measured import MeasuredCase
from report.document import Table, join_cells, known_rows
from report.tables.details.one_gpu import kept_apart
from report.wording.units import UNKNOWN

CAPTION = "Speed over the naive schedule on {} (95 % CI)"
OVER = ("over naive", "over naive on 1 GPU")
BASES = ("as many GPUs", "1 GPU")


def make_table(results: list[MeasuredCase]) -> Table:
    """Return a row for each case that may be compared with a naive one."""
    labels, apart = Labels(results), set(kept_apart(results))
    rows = [join_cells(labels.of(r), _cells(r, results)) for r in results if r not in apart]
    known = [row for row in rows if _is_known(row)]
    shown = [base for base, name in zip(BASES, OVER, strict=True) if _has(known, name)]
    return known_rows(CAPTION.format(" and on ".join(shown)), known)


def _has(rows: list[dict[str, str]], name: str) -> bool:
    return any(row[name] != UNKNOWN for row in rows)


def _is_known(row: dict[str, str]) -> bool:
    return any(_has([row], name) for name in OVER)


def _cells(result: MeasuredCase, results: list[MeasuredCase]) -> dict[str, str]:
    """Compare one case; a dash where that is not valid, and the answers say why."""
    return {
        OVER[0]: _factor(factor_over(naive_on(result.case.gpus, result, results), result)),
        OVER[1]: _factor(factor_over(naive_on(1, result, results), result)),
    }


def _factor(found: Factor | None) -> str:
    return UNKNOWN if found is None else found.words
