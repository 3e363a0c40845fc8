"""Timeline of each GPU in one step, schedule by schedule on one scale."""

from collections.abc import Sequence
from statistics import fmean

from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing
from matplotlib.patches import Patch

from report.analysis.bubble import bubbles
from report.analysis.replay import COMPUTE_KINDS, spans_of, typical_step_s
from report.analysis.step_time import step_time
from report.data.labels import telling
from report.data.measured import MeasuredCase
from report.document import Figure
from report.figures.captions import first_of, origin
from report.figures.gantt import SPAN_STYLES, kind_of
from report.figures.style import LEGEND_LINE, PALE, SMALL, darker, draw
from report.wording.names import HOW, gpus_of_stages, key_name, schedule_name, setting_text
from report.wording.units import TIMES, percent, seconds, unit_for
from study.case import Case
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
    able = _able(results)
    shown, note = first_of(_chosen(able), MAX_CASES)
    if not shown:
        return None
    gpus, settings = shown[0].case.gpus, _settings(able)

    def plot(drawing: Drawing) -> None:
        longest = max(map(typical_step_s, shown))
        unit, unit_name = unit_for(longest, TIMES)
        panels = drawing.subplots(len(shown), squeeze=False, sharex=True)
        for (axes,), result in zip(panels, shown, strict=True):
            _plot_case(axes, result, unit, _title(result, settings))
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
        f"{_of_choice(able, shown)}{_of_replicas(shown)}{_of_weights(shown)}{_of_waits(shown)}",
        svg=draw(min(TALLEST, height), source, plot),
        alt=f"{CAPTION} ({source}). {' '.join(f'{_title(r, settings)}.' for r in shown)}",
        zooms=True,
    )


def _of_choice(able: list[MeasuredCase], shown: list[MeasuredCase]) -> str:
    """Say which case of a schedule is drawn, where it has several.

    Args:
        able: the cases that could be drawn.
        shown: those that are.
    """
    of_schedule: dict[str, set[int]] = {}
    for result in able:
        of_schedule.setdefault(result.case.schedule, set()).add(result.case.micro_batches)
    alike = [f"the {key_name(key)}" for key in _settings(able)]
    if any(len(counts) > 1 for counts in of_schedule.values()):
        alike.append("the micro-batches")
    if not alike:
        return ""
    is_of_pipelines = any(SCHEDULES[result.case.schedule].is_pipeline for result in able)
    fastest = "fastest pipeline" if is_of_pipelines else "fastest"
    is_alike = all(_is_alike(_of_family(able)[0].case, r.case, _settings(able)) for r in shown)
    where = "" if is_alike else " where it was measured with them"
    drawn = " and number of replicas" * (len({r.case.schedule for r in shown}) < len(shown))
    return (
        f" One case of each schedule{drawn} is drawn, with {' and '.join(alike)} of the {fastest}"
        f"{where}."
    )


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


def _able(results: list[MeasuredCase]) -> list[MeasuredCase]:
    """Return the cases on the most GPUs that can be drawn, the fastest first.

    A CUDA graph is drawn where no eager step is: its instrumented steps are eager.
    """
    seen = [r for r in results if spans_of(r) and 1 < r.case.gpus <= MAX_GPUS]
    seen = [r for r in seen if r.case.execution == "eager"] or seen
    most = max((result.case.gpus for result in _of_family(seen)), default=0)
    here = [result for result in seen if result.case.gpus == most]
    return sorted(here, key=lambda result: step_time(result).estimate_s)


def _of_family(results: list[MeasuredCase]) -> list[MeasuredCase]:
    """Return the pipelines, or where there are none the cases of data parallelism."""
    families = {SCHEDULES[result.case.schedule].family for result in results}
    family = "pipeline" if "pipeline" in families else "data"
    return [result for result in results if SCHEDULES[result.case.schedule].family == family]


def _settings(able: list[MeasuredCase]) -> list[str]:
    """Return the keys in which these cases differ, besides those of a schedule."""
    return telling(able, *HOW, "gpus")


def _chosen(able: list[MeasuredCase]) -> list[MeasuredCase]:
    """Return a case of each schedule and number of replicas.

    It has the settings and the micro-batches of the fastest, if one has.
    """
    if not able:
        return []
    fastest, keys = _of_family(able)[0].case, _settings(able)
    found: dict[tuple[int, int], MeasuredCase] = {}
    for result in sorted(able, key=lambda result: _unlike(fastest, result.case, keys)):
        case = result.case
        found.setdefault((list(SCHEDULES).index(case.schedule), case.data_parallel), result)
    return [result for _, result in sorted(found.items(), key=lambda pair: pair[0])]


def _is_alike(fastest: Case, case: Case, keys: Sequence[str]) -> bool:
    """Return whether a case has the values of these keys, and the micro-batches if it has any."""
    differing, is_other = _unlike(fastest, case, keys)
    return not differing and not (is_other and case.has_key("micro_batches"))


def _unlike(fastest: Case, case: Case, keys: Sequence[str]) -> tuple[int, bool]:
    """Return in how many of these keys a case differs, and whether in its micro-batches."""
    differing = sum(case.value(key) != fastest.value(key) for key in keys)
    return differing, case.micro_batches != fastest.micro_batches


def _plot_case(axes: Axes, result: MeasuredCase, unit: float, title: str) -> None:
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
    if len(title) > LONGEST:
        title = title.replace(" (drawn", "\n(drawn", 1)
    axes.set_title(title, fontsize=SMALL, pad=2)
    axes.tick_params(axis="x", labelsize=SMALL)


def _shade(span: TimeSpan) -> str:
    """Darken every other micro-batch: there is no room for lines between them."""
    colour = SPAN_STYLES[kind_of(span)][0]
    odd = span.micro_batch is not None and span.micro_batch % 2 and span.kind in COMPUTE_KINDS
    return darker(colour) if odd else colour


def _title(result: MeasuredCase, keys: Sequence[str]) -> str:
    """Return the schedule, its values of these keys, its time and its bubble."""
    case = result.case
    settings = [setting_text(case, key) for key in keys if case.has_key(key)]
    name = ", ".join([schedule_name(case), *settings])
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
