"""Cells of a schedule: its bubble, the formula's, and its speed over naive."""

from statistics import fmean

from report.analysis.bubble import bubbles
from report.analysis.flops import parts_of
from report.data.measured import MeasuredCase
from report.tables.cells.field import Field
from report.tables.cells.step import Cells
from report.wording.units import UNKNOWN, percent
from study.stages import bubble_share


def bubble(result: MeasuredCase, field: Field) -> Cells:
    """Return the mean bubble of the GPUs; the bubble of each is in the details."""
    shares = [found.measured for found in bubbles(result)]
    return {"bubble": percent(fmean(shares)) if shares else UNKNOWN}


def formula(result: MeasuredCase, field: Field) -> Cells:
    """Return the bubble that the schedule's formula gives."""
    share = bubble_share(result.case, parts_of(result))
    return {"bubble by formula": UNKNOWN if share is None else percent(share)}


def over_naive(result: MeasuredCase, field: Field) -> Cells:
    """Return the speed over naive on as many GPUs, with its interval."""
    found = field.over_naive(result)
    return {"speed over naive (95 % CI)": UNKNOWN if found is None else found.words}
