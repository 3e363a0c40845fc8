"""Timeline of each GPU in one step: one works while the others wait."""

from dataclasses import replace

from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing
from matplotlib.patches import Patch

from report.analysis.replay import spans_of, typical_step_s
from report.analysis.step_time import step_time
from report.analysis.time_use import longer_than_timed, time_use
from report.data.labels import label
from report.data.measured import MeasuredCase
from report.document import Figure
from report.figures.captions import first_of, origin
from report.figures.style import (
    BLUE,
    DIM,
    EDGE,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    RED,
    SKY,
    YELLOW,
    draw,
)
from report.wording.names import gpu_name
from report.wording.units import TIMES, percent, seconds, signed_percent, unit_for
from study.results.measurement import TimeSpan

CAPTION = "What each GPU does during a step"
SPAN_STYLES = {
    "forward": (SKY, ""),
    "backward": (BLUE, ""),
    "input gradient": (GREEN, ""),
    "weight gradient": (YELLOW, ""),
    "scaling": (DIM, ""),
    "optimizer": (ORANGE, "xx"),
    "transfer": (RED, ""),
    "collective": (PURPLE, ""),
}
COMPUTE_HEIGHT = 0.66  # of a row
TRANSFER_HEIGHT = 0.94  # differs, for readers who see no colours
HIGH = ("transfer", "collective")
NARROWEST = 0.004  # of the step; shorter transfers are drawn this wide
MAX_CASES, MAX_GPUS = 6, 64  # that fit
ROOM = 1.003  # times the longest step, for the edge of its last bar
MAX_EDGED = 30  # bars of a GPU that get an edge
ROW, AROUND, FRAME = 0.24, 0.45, 0.85  # inches: a GPU, the frame of a case, the frame of a drawing
FITS, TALLEST = 3.0, 8.5  # inches that fit on most pages, and on any
NOTEWORTHY = 0.03  # of a timed step; a larger difference is mentioned
REPRESENTATIVE = 0.05  # of a timed step; with a larger difference it is no headline
HEADLINE = 2
APART = 8  # times the shortest step; longer ones need another axis


def make_figures(results: list[MeasuredCase]) -> list[Figure]:
    """Draw a row for each GPU, with axes for each case; nothing where no step was instrumented.

    Cases are split over drawings so that no page stays half empty.
    """
    marked = [result for result in results if spans_of(result) and result.case.gpus <= MAX_GPUS]
    shown, note = first_of(marked, MAX_CASES)
    if not shown:
        return []
    longest_s, shortest_s = max(map(typical_step_s, shown)), min(map(typical_step_s, shown))
    if longest_s > APART * shortest_s:
        note += "; each has a time axis of its own"
        ends_s = [typical_step_s(result) for result in shown]
        return _figures([[result] for result in shown], shown, ends_s, note)
    if len(shown) > 1:
        note += "; all on one time axis"
    parts = _parts(shown)
    return _figures(parts, shown, [longest_s] * len(parts), note)


def _figures(
    parts: list[list[MeasuredCase]], shown: list[MeasuredCase], ends_s: list[float], note: str
) -> list[Figure]:
    """Return a figure for each part, up to its end; the first one explains them all."""
    figures = [_figure(part, shown, end_s, note) for part, end_s in zip(parts, ends_s, strict=True)]
    first, *others = figures
    return [
        _explained(first, parts[0]),
        *(
            _explained(figure, part) if figure.headline else figure
            for figure, part in zip(others, parts[1:], strict=True)
        ),
    ]


def _explained(figure: Figure, part: list[MeasuredCase]) -> Figure:
    return replace(figure, caption=f"{figure.caption} {_waiting(part)}")


def _parts(results: list[MeasuredCase]) -> list[list[MeasuredCase]]:
    """Split the cases into drawings, in their order."""
    parts: list[list[MeasuredCase]] = []
    for result in results:
        if parts and _height([*parts[-1], result]) <= FITS:
            parts[-1].append(result)
        else:
            parts.append([result])
    return parts


def _height(results: list[MeasuredCase]) -> float:
    return FRAME + sum(ROW * result.case.gpus + AROUND for result in results)


def _figure(
    part: list[MeasuredCase], all_shown: list[MeasuredCase], end_s: float, note: str
) -> Figure:
    """Draw some of the cases up to this time; labels tell them from all that are shown."""

    def plot(drawing: Drawing) -> None:
        unit, unit_name = unit_for(end_s, TIMES)
        heights = [result.case.gpus for result in part]
        rows = drawing.subplots(len(part), squeeze=False, sharex=True, height_ratios=heights)
        for (axes,), result in zip(rows, part, strict=True):
            _plot_case(axes, result, unit, label(result, all_shown))
        rows[-1][0].set_xlabel(f"time since the step began ({unit_name})")
        rows[-1][0].set_xlim(0, ROOM * end_s / unit)
        seen = {kind_of(span) for result in part for span in spans_of(result)}
        keys = [Patch(facecolor=colour, hatch=hatch, label=kind, **EDGE)
                for kind, (colour, hatch) in SPAN_STYLES.items() if kind in seen]  # fmt: skip
        drawing.legend(handles=keys, loc="outside lower center", ncols=len(keys))

    source = origin(part)
    labels = "; ".join(label(result, all_shown) for result in part)
    which = "" if len(part) == len(all_shown) else f", {labels}"
    return Figure(
        caption=f"{CAPTION}{which}{note}. {instrumented(part)}",
        svg=draw(min(TALLEST, _height(part)), source, plot),
        alt=f"{CAPTION} ({source}). {' '.join(_in_words(result, all_shown) for result in part)}",
        headline=HEADLINE if _is_headline(part) else 0,
        zooms=True,
    )


def instrumented(results: list[MeasuredCase]) -> str:
    """Say that the drawn step is an instrumented one, and how much longer than a timed one."""
    costs = [cost for cost in map(longer_than_timed, results) if cost is not None]
    words = "The step is an instrumented one"
    if max(map(abs, costs), default=0.0) < NOTEWORTHY:
        return f"{words}."
    low, high = percent(abs(min(costs))), percent(abs(max(costs)))
    if max(costs) < 0:
        return f"{words}, {high if low == high else f'{high} to {low}'} shorter than timed steps."
    if min(costs) < 0:
        return f"{words}; compared with timed steps it takes {_signed(costs)}."
    longer = low if low == high else f"{low} to {high}"
    return f"{words}, {longer} longer than timed steps, which are what the table shows."


def _signed(costs: list[float]) -> str:
    return f"{signed_percent(min(costs))} to {signed_percent(max(costs))}"


def _waiting(results: list[MeasuredCase]) -> str:
    """Say what a GPU waits for where it has no bar."""
    if any(result.case.gpus > 1 and result.case.schedule != "naive" for result in results):
        return "A GPU without a bar waits for the output or the gradient of another GPU."
    if all(result.case.gpus == 1 for result in results):
        return "Where there is no bar, the GPU waits for its next kernel to be launched."
    text = (
        "A GPU without a bar waits: in forward for the layers before its own, in backward for the "
        "layers after its own, then until the whole backward pass is launched, which the optimizer "
        "needs"
    )
    return f"{text}; the optimizer starts on GPU 0 first." if _in_turn(results) else f"{text}."


def _in_turn(results: list[MeasuredCase]) -> bool:
    """Return True if in all of these steps the GPUs' optimizers start in the GPUs' order."""
    return all(starts == sorted(starts) for starts in map(_optimizer_starts, results))


def _optimizer_starts(result: MeasuredCase) -> list[float]:
    spans = (span for span in spans_of(result) if span.kind == "optimizer")
    return [span.start_s for span in sorted(spans, key=lambda span: span.gpu)]


def _is_headline(results: list[MeasuredCase]) -> bool:
    """Return True for steps about as long as those timed, on real GPUs, several in one of them."""
    several = any(result.case.gpus > 1 for result in results)
    return several and _height(results) <= FITS and all(map(_is_representative, results))


def _is_representative(result: MeasuredCase) -> bool:
    cost = longer_than_timed(result)
    return not result.emulated and cost is not None and abs(cost) < REPRESENTATIVE


def _plot_case(axes: Axes, result: MeasuredCase, unit: float, name: str) -> None:
    # Edges would hide bars as narrow as a pipeline's.
    edge = EDGE if len(spans_of(result)) <= MAX_EDGED * result.case.gpus else {}
    narrowest = NARROWEST * typical_step_s(result)
    for kind, (colour, hatch) in SPAN_STYLES.items():  # transfers last, on top
        for gpu in range(result.case.gpus):
            bars = [
                (span.start_s / unit, _width(span, narrowest) / unit)
                for span in spans_of(result)
                if span.gpu == gpu and kind_of(span) == kind
            ]
            height = TRANSFER_HEIGHT if kind in HIGH else COMPUTE_HEIGHT
            at = (gpu - height / 2, height)
            axes.broken_barh(bars, at, facecolor=colour, hatch=hatch, **edge)
    axes.set_ylim(result.case.gpus - 0.4, -0.6)  # GPU 0 on top
    few = range(0, result.case.gpus, 1 + result.case.gpus // 24)
    axes.set_yticks(few, [f"GPU {gpu_name(result.case, gpu)}" for gpu in few])
    axes.tick_params(axis="y", length=0)
    axes.hlines(range(result.case.gpus), 0, 1, GREY, linewidth=0.5, zorder=0,
                transform=axes.get_yaxis_transform())  # fmt: skip
    axes.set_title(f"{name}: {_lengths(result)}")


def _lengths(result: MeasuredCase) -> str:
    """Return the length of the drawn step, and that of timed ones, which tables show."""
    drawn, timed = seconds(typical_step_s(result)), seconds(step_time(result).estimate_s)
    return f"{drawn}, timed steps {timed}" if drawn != timed else drawn


def kind_of(span: TimeSpan) -> str:
    """Return the key of `SPAN_STYLES` for a span."""
    is_transfer = span.kind in ("transfer_in", "transfer_out")
    return "transfer" if is_transfer else span.kind.replace("_", " ")


def _width(span: TimeSpan, narrowest: float) -> float:
    took = span.end_s - span.start_s
    return max(took, narrowest) if span.kind.startswith("transfer") else took


def _in_words(result: MeasuredCase, results: list[MeasuredCase]) -> str:
    shares = ", ".join(f"GPU {use.gpu} {percent(use.utilization)}" for use in time_use(result))
    return f"{label(result, results)}: share of a step's time that each computes: {shares}."
