"""Timeline of each GPU in one step, schedule by schedule on one scale."""

from statistics import fmean

from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing
from matplotlib.patches import Patch

from report.analysis.bubble import bubbles
from report.analysis.replay import COMPUTE_KINDS, spans_of, typical_step_s
from report.analysis.step_time import step_time
from report.data.measured import MeasuredCase
from report.document import Figure
from report.figures.captions import first_of, origin
from report.figures.gantt import SPAN_STYLES, kind_of
from report.figures.style import LEGEND_LINE, PALE, SMALL, darker, draw
from report.wording.names import gpus_of_stages, schedule_name
from report.wording.units import TIMES, percent, seconds, unit_for
from study.results.measurement import TimeSpan
from study.schedules import SCHEDULES

CAPTION = "What each GPU does during an instrumented step, schedule by schedule"
HEIGHT = 0.94  # of a row
LONGEST = 118  # letters of a title that fit
MAX_CASES, MAX_GPUS = 9, 32  # that fit: one case of each schedule
OTHERWISE = 0.05  # of a timed step; a larger difference is mentioned
ROW, AROUND, TALLEST = 0.125, 0.3, 8.5  # inches: a GPU, the frame of a case, a page


def make_figure(results: list[MeasuredCase]) -> Figure | None:
    """Draw a panel for each schedule, a row for each GPU; None without instrumented steps."""
    shown, note = first_of(_cases(results), MAX_CASES)
    if not shown:
        return None
    gpus = shown[0].case.gpus

    def plot(drawing: Drawing) -> None:
        longest = max(map(typical_step_s, shown))
        unit, unit_name = unit_for(longest, TIMES)
        panels = drawing.subplots(len(shown), squeeze=False, sharex=True)
        for (axes,), result in zip(panels, shown, strict=True):
            _plot_case(axes, result, unit)
        for axes in panels[:-1, 0]:
            axes.tick_params(axis="x", length=0)
            axes.spines["bottom"].set_visible(False)
        panels[-1][0].set_xlabel(f"time since the step began ({unit_name})")
        panels[-1][0].set_xlim(0, longest / unit)
        seen = {kind_of(span) for result in shown for span in spans_of(result)}
        keys = [
            Patch(facecolor=colour, label=kind)
            for kind, (colour, _) in SPAN_STYLES.items()
            if kind in seen
        ]
        keys.append(Patch(facecolor=PALE, label="waits"))
        drawing.legend(handles=keys, loc="outside lower center", ncols=(len(keys) + 1) // 2)

    source = origin(shown)
    height = 0.7 + 2 * LEGEND_LINE + (ROW * gpus + AROUND) * len(shown)
    where = f"{gpus} {'processes' if shown[0].emulated else 'GPUs'}"
    return Figure(
        caption=f"{CAPTION}, on {where}{note}; GPU 0 is on top. Every other micro-batch is darker."
        f"{_of_choice(shown, results)}{_of_replicas(shown)}{_of_weights(shown)}{_of_waits(shown)}",
        svg=draw(min(TALLEST, height), source, plot),
        alt=f"{CAPTION} ({source}). {' '.join(f'{_title(result)}.' for result in shown)}",
        zooms=True,
    )


def _of_choice(shown: list[MeasuredCase], results: list[MeasuredCase]) -> str:
    """Say which case of a schedule is drawn, where its cases differ in micro-batches."""
    of_schedule: dict[str, set[int]] = {}
    for result in results:
        if result.case.gpus == shown[0].case.gpus and spans_of(result):
            of_schedule.setdefault(result.case.schedule, set()).add(result.case.micro_batches)
    if all(len(counts) < 2 for counts in of_schedule.values()):
        return ""
    return " One case of each schedule is drawn, with the micro-batches of the fastest pipeline."


def _of_replicas(shown: list[MeasuredCase]) -> str:
    """Say which rows are which replica's, by an example."""
    several = [result.case for result in shown if result.case.data_parallel > 1]
    if not several:
        return ""
    return (
        f" With {several[0].data_parallel} replicas, GPUs {gpus_of_stages(several[0], 0)} have the "
        "first stage, one for each replica."
    )


def _of_weights(shown: list[MeasuredCase]) -> str:
    """Explain spans of the first stage, which computes all gradients at once.

    With fused weight gradients it computes its input's gradient apart, as every stage does.
    """
    separate = [result for result in shown if result.case.gradients == "separate"]
    if any(span.kind == "weight_gradient" for result in separate for span in spans_of(result)):
        return (
            " The first stage sends no gradient on, so all of its backward counts as weight "
            "gradient."
        )
    return ""


def _of_waits(shown: list[MeasuredCase]) -> str:
    """Explain the collectives of data parallelism, which go on while a GPU computes."""
    if any(SCHEDULES[result.case.schedule].family == "data" for result in shown):
        return " A collective is drawn while a GPU waits for it."
    return ""


def _cases(results: list[MeasuredCase]) -> list[MeasuredCase]:
    """Return a case of each schedule and number of replicas on the most GPUs.

    It has the micro-batches of the fastest, if one has. A CUDA graph is drawn where no eager step
    is: its instrumented steps are eager.
    """
    seen = [r for r in results if spans_of(r) and 1 < r.case.gpus <= MAX_GPUS]
    seen = [r for r in seen if r.case.execution == "eager"] or seen
    families = {SCHEDULES[result.case.schedule].family for result in seen}
    family = "pipeline" if "pipeline" in families else "data"
    of_family = [r for r in seen if SCHEDULES[r.case.schedule].family == family]
    if not of_family:
        return []
    most = max(result.case.gpus for result in of_family)
    here = sorted((r for r in seen if r.case.gpus == most), key=lambda r: step_time(r).estimate_s)
    fastest = next(r for r in here if SCHEDULES[r.case.schedule].family == family)
    wanted = fastest.case.micro_batches
    found: dict[tuple[int, int], MeasuredCase] = {}
    for result in sorted(here, key=lambda r: r.case.micro_batches != wanted):
        case = result.case
        found.setdefault((list(SCHEDULES).index(case.schedule), case.data_parallel), result)
    return [result for _, result in sorted(found.items(), key=lambda pair: pair[0])]


def _plot_case(axes: Axes, result: MeasuredCase, unit: float) -> None:
    spans = spans_of(result)
    end = typical_step_s(result) / unit
    for gpu in range(result.case.gpus):
        here = [span for span in spans if span.gpu == gpu]
        bars = [(0, end), *((s.start_s / unit, (s.end_s - s.start_s) / unit) for s in here)]
        at = (gpu - HEIGHT / 2, HEIGHT)
        axes.broken_barh(bars, at, facecolors=[PALE, *map(_shade, here)], linewidth=0)
    axes.set_ylim(result.case.gpus - 0.4, -0.6)  # GPU 0 on top
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    title = _title(result)
    if len(title) > LONGEST:
        title = title.replace(" (drawn", "\n(drawn", 1)
    axes.set_title(title, fontsize=SMALL, pad=2)
    axes.tick_params(axis="x", labelsize=SMALL)


def _shade(span: TimeSpan) -> str:
    """Darken every other micro-batch: there is no room for lines between them."""
    colour = SPAN_STYLES[kind_of(span)][0]
    odd = span.micro_batch is not None and span.micro_batch % 2 and span.kind in COMPUTE_KINDS
    return darker(colour) if odd else colour


def _title(result: MeasuredCase) -> str:
    name = schedule_name(result.case)
    took = seconds(step_time(result).estimate_s)
    drawn_s = typical_step_s(result)
    differs = abs(drawn_s / step_time(result).estimate_s - 1) > OTHERWISE
    drawn = f" (drawn: an instrumented step of {seconds(drawn_s)})" if differs else ""
    return f"{name[0].upper()}{name[1:]}: {took}{drawn}{_bubble(result)}"


def _bubble(result: MeasuredCase) -> str:
    """Return the bubble and its formula's; empty for a step that has none."""
    found = bubbles(result)
    if not found:
        return ""
    formula = found[0].formula
    beside = "" if formula is None else f" (formula {percent(formula)})"
    return f", bubble {percent(fmean(bubble.measured for bubble in found))}{beside}"
