"""Speed-up against the number of GPUs, with the ideal of perfect sharing."""

from math import ceil

from matplotlib.figure import Figure as Drawing

from report.analysis.metrics import Baselines, metrics
from report.data.labels import differing
from report.data.measured import MeasuredCase
from report.document import Figure
from report.figures.captions import origin
from report.figures.style import BLACK, DIM, GPU_COLOURS, LEGEND_LINE, draw
from report.wording.names import HOW, setting_text
from report.wording.units import count_of, number
from study.schedules import SCHEDULES

CAPTION = "Speed-up against GPUs"
MARKERS = "os^Dv<>P"
MIN_COUNTS = 3  # numbers of GPUs of a single series; two points are no curve
MOST_SERIES = len(SCHEDULES)
LINES = ("-", ":")  # of the first as many series as there are colours, and of the others
Series = dict[str, list[tuple[int, float]]]  # GPUs and speed-up of each point


def make_figure(results: list[MeasuredCase]) -> Figure | None:
    """Draw each schedule at its best on each number of GPUs; None where it would tell nothing.

    Emulated results are left out: their times say nothing of numbers of GPUs.
    """
    real = [result for result in results if not result.emulated]
    baselines = Baselines(real)
    bases = {metrics(result, baselines).base_gpus for result in real} - {None}
    counts = sorted({result.case.gpus for result in real})
    found = _series(real, baselines)
    if len(counts) < (2 if len(found) > 1 else MIN_COUNTS) or len(bases) != 1:
        return None
    base = next(iter(bases)) or 0
    shown = _fastest(found)

    def plot(drawing: Drawing) -> None:
        axes = drawing.subplots()
        ideal = [counts[0], counts[-1]]
        axes.plot(ideal, [gpus / base for gpus in ideal], color=DIM, linestyle="--", linewidth=0.8,
                  label="ideal: perfect sharing")  # fmt: skip
        for at, (name, points) in enumerate(shown.items()):
            turn, colour = divmod(at, len(GPU_COLOURS))
            axes.plot(*zip(*points, strict=True), color=GPU_COLOURS[colour], linewidth=1,
                      linestyle=LINES[turn], marker=MARKERS[at % len(MARKERS)], markersize=4,
                      markeredgecolor=BLACK, markeredgewidth=0.4, label=name)  # fmt: skip
        axes.set_xticks(counts)
        axes.set_xlabel("GPUs")
        axes.set_ylabel(f"speed-up over {count_of(base, 'GPU')}")
        axes.set_ylim(bottom=0)
        axes.grid(True)
        drawing.legend(loc="outside lower center", ncols=3)

    source = origin(real)
    points = "; ".join(f"{name}: {_in_words(points)}" for name, points in shown.items())
    left_out = f" (the {MOST_SERIES} fastest of {len(found)})" if len(found) > MOST_SERIES else ""
    each = f": each schedule{left_out} with its best setting on each number of GPUs"
    which = each if len(found) > 1 else ""
    return Figure(
        caption=f"{CAPTION}{which}; the dashed line is perfect sharing.",
        svg=draw(2.5 + LEGEND_LINE * ceil((len(shown) + 1) / 3), source, plot),
        alt=f"{CAPTION} ({source}). {points}.",
    )


def _fastest(found: Series) -> Series:
    """Return the series that are fastest on their most GPUs, in the order of all."""
    ranked = sorted(found, key=lambda name: found[name][-1], reverse=True)[:MOST_SERIES]
    return {name: points for name, points in found.items() if name in ranked}


def _in_words(points: list[tuple[int, float]]) -> str:
    return ", ".join(f"{count_of(gpus, 'GPU')} {number(speed_up)}" for gpus, speed_up in points)


def _series(real: list[MeasuredCase], baselines: Baselines) -> Series:
    """Return the best speed-up on each number of GPUs, by schedule and what else differs."""
    others = differing(real, *HOW, "gpus")
    best: dict[str, dict[int, float]] = {}
    for result in real:
        speed_up = metrics(result, baselines).speed_up
        if speed_up is not None:
            name = ", ".join(
                [
                    SCHEDULES[result.case.schedule].label,
                    *(setting_text(result.case, key) for key in others),
                ]
            )
            of_counts = best.setdefault(name, {})
            of_counts[result.case.gpus] = max(speed_up, of_counts.get(result.case.gpus, 0.0))
    return {name: sorted(of_counts.items()) for name, of_counts in best.items()}
