"""What each GPU does during one step: the pipeline, in which one works and the others wait."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing
from matplotlib.patches import Patch

from report.document import Figure
from report.figures.labels import first_of, label, origin
from report.figures.style import BLUE, EDGE, GREEN, GREY, ORANGE, RED, SKY, YELLOW, draw, time_unit
from report.measured import Measured
from report.time_use import time_use
from report.units import percent
from study.measurement import TimeSpan

CAPTION = "What each GPU does during a typical step"
KINDS = {
    "forward": (SKY, ""),
    "backward": (BLUE, ""),
    "input gradient": (GREEN, ""),
    "weight gradient": (YELLOW, ""),
    "optimizer": (ORANGE, "xx"),
    "transfer": (RED, ""),
}
COMPUTE, TRANSFER = 0.66, 0.94  # heights; transfers stand out, by their shape if not by colour
NARROWEST = 0.004  # of the step: a transfer takes less, and would not be seen
MAX_CASES, MAX_GPUS = 6, 64  # more have no room
MAX_EDGED = 30  # bars of a GPU
ROW, AROUND, TALLEST = 0.26, 0.42, 8.5  # inches: a GPU, what a case needs besides, a page


def make_figure(results: list[Measured]) -> Figure | None:
    """A row for each GPU, axes for each case; None where no step had instruments."""
    marked = [result for result in results if _spans(result) and result.case.gpus <= MAX_GPUS]
    shown, note = first_of(marked, MAX_CASES)
    if not shown:
        return None
    gpus = [result.case.gpus for result in shown]

    def plot(drawing: Drawing) -> None:
        longest = max(span.end_s for result in shown for span in _spans(result))
        unit, unit_name = time_unit([longest])
        # One scale, so that a step twice as long is twice as long.
        rows = drawing.subplots(len(shown), squeeze=False, sharex=True, height_ratios=gpus)
        for (axes,), result in zip(rows, shown, strict=True):
            _plot_case(axes, result, unit, label(result, shown))
        rows[-1][0].set_xlabel(f"time since the step began ({unit_name})")
        rows[-1][0].set_xlim(0, longest / unit)
        seen = {kind_of(span) for result in shown for span in _spans(result)}
        keys = [Patch(facecolor=colour, hatch=hatch, label=kind, **EDGE)
                for kind, (colour, hatch) in KINDS.items() if kind in seen]  # fmt: skip
        drawing.legend(handles=keys, loc="outside lower center", ncols=len(keys))

    source = origin(shown)
    return Figure(
        caption=f"{CAPTION}{note}; where there is nothing, it waits.",
        svg=draw(min(TALLEST, 0.8 + ROW * sum(gpus) + AROUND * len(gpus)), source, plot),
        alt=f"{CAPTION} ({source}). {' '.join(_in_words(result, shown) for result in shown)}",
    )


def _spans(result: Measured) -> list[TimeSpan]:
    breakdown = result.measurement.breakdown
    return [] if breakdown is None else breakdown.typical_step


def _plot_case(axes: Axes, result: Measured, unit: float, name: str) -> None:
    # Lines around so many bars as a pipeline has would hide them.
    edge = EDGE if len(_spans(result)) <= MAX_EDGED * result.case.gpus else {}
    narrowest = NARROWEST * max(span.end_s for span in _spans(result))
    for kind, (colour, hatch) in KINDS.items():  # transfers last, on top
        for gpu in range(result.case.gpus):
            bars = [
                (span.start_s / unit, _width(span, narrowest) / unit)
                for span in _spans(result)
                if span.gpu == gpu and kind_of(span) == kind
            ]
            height = TRANSFER if kind == "transfer" else COMPUTE
            at = (gpu - height / 2, height)
            axes.broken_barh(bars, at, facecolor=colour, hatch=hatch, **edge)
    axes.set_ylim(result.case.gpus - 0.4, -0.6)  # GPU 0 on top
    few = range(0, result.case.gpus, 1 + result.case.gpus // 24)
    axes.set_yticks(few, [f"GPU {gpu}" for gpu in few])
    axes.tick_params(axis="y", length=0)
    axes.hlines(range(result.case.gpus), 0, 1, GREY, linewidth=0.5, zorder=0,
                transform=axes.get_yaxis_transform())  # fmt: skip
    axes.set_title(name)


def kind_of(span: TimeSpan) -> str:
    """Which of KINDS it is."""
    is_transfer = span.kind in ("transfer_in", "transfer_out")
    return "transfer" if is_transfer else span.kind.replace("_", " ")


def _width(span: TimeSpan, narrowest: float) -> float:
    took = span.end_s - span.start_s
    return max(took, narrowest) if span.kind.startswith("transfer") else took


def _in_words(result: Measured, results: list[Measured]) -> str:
    shares = ", ".join(f"GPU {use.gpu} {percent(use.utilisation)}" for use in time_use(result))
    return f"{label(result, results)}: share of a step's time that each computes: {shares}."
