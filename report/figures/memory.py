"""Peak memory of each GPU: predicted parts, and the measured peak."""

from dataclasses import astuple, dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from predict.memory.parts import MemoryBreakdown
from report.analysis.predicted_memory import predicted_of, workspace_of
from report.data.labels import label
from report.data.measured import MeasuredCase
from report.document import Figure
from report.figures.captions import first_of, origin
from report.figures.style import (
    BLACK,
    BLUE,
    EDGE,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    SKY,
    SMALL,
    YELLOW,
    draw,
)
from report.wording.units import SIZES, data_size, unit_for
from study.results.measurement import GpuMemory

CAPTION = "Memory of each GPU at the peak of a step"
PARTS = (
    ("parameters", BLUE, ""),
    ("gradients", SKY, "\\\\"),
    ("optimizer", ORANGE, "xx"),
    ("activations", GREEN, ".."),
    ("temporaries", YELLOW, "//"),
    ("FSDP buffers", PURPLE, "oo"),
    ("cuBLAS and the rest", GREY, "++"),
)
MAX_CASES, MAX_GPUS = 8, 64  # that fit
MAX_TICKS = 40  # GPU numbers that fit


@dataclass(frozen=True)
class Bar:
    """One GPU: its parts in bytes, in the order of `PARTS`, and its measured peak."""

    at: float
    gpu: int
    parts: tuple[int, ...]
    allocated: int | None


def make_figure(results: list[MeasuredCase]) -> Figure | None:
    """Draw a group of bars for each case with a prediction; None where no peak was measured."""
    fit = [r for r in results if r.case.gpus <= MAX_GPUS and predicted_of(r) is not None]
    shown, note = first_of(fit, MAX_CASES)
    groups = _groups(shown)
    bars = [bar for group in groups for bar in group]
    if all(bar.allocated is None for bar in bars):
        return None

    def plot(drawing: Drawing) -> None:
        axes = drawing.subplots()
        highest = max(max(sum(bar.parts), bar.allocated or 0) for bar in bars)
        unit, unit_name = unit_for(highest, SIZES)
        for bar in bars:
            _plot_bar(axes, bar, unit)
        few = bars if len(bars) <= MAX_TICKS else []
        axes.set_xticks([bar.at for bar in few], [str(bar.gpu) for bar in few])
        axes.tick_params(axis="x", length=0)
        names = axes.secondary_xaxis(0.0)
        centres = [(group[0].at + group[-1].at) / 2 for group in groups]
        titles = [_title(r, bars, shown) for r, bars in zip(shown, groups, strict=True)]
        names.set_xticks(centres, titles)
        names.tick_params(axis="x", length=0, labelsize=SMALL)
        names.set_xlabel("GPU (a group for each case)")
        axes.set_ylabel(f"memory ({unit_name})")
        axes.grid(axis="y")
        drawing.legend(handles=_keys(bars), loc="outside lower center", ncols=3)

    source = origin(shown)
    sentences = [_in_words(r, bars, shown) for r, bars in zip(shown, groups, strict=True)]
    return Figure(
        caption=f"{CAPTION}: predicted parts, and the measured peak{note}.",
        svg=draw(3.4, source, plot),
        alt=f"{CAPTION} ({source}). {' '.join(sentences)}",
    )


def _groups(results: list[MeasuredCase]) -> list[list[Bar]]:
    groups, start = [], 0
    for result in results:
        peaks = predicted_of(result) or []
        pairs = zip(peaks, result.measurement.per_gpu, strict=True)
        bars = [
            Bar(start + i, i, _parts(held, gpu, workspace_of(result, i)), gpu.peak_allocated_bytes)
            for i, (held, gpu) in enumerate(pairs)
        ]
        groups.append(bars)
        start += max(len(bars), 3) + 1  # room for its name
    return groups


def _parts(held: MemoryBreakdown, gpu: GpuMemory, workspace: int | None) -> tuple[int, ...]:
    """Return the parts; the last is what was measured besides, or cuBLAS's where nothing was."""
    allocated = gpu.peak_allocated_bytes
    rest = workspace or 0 if allocated is None else max(0, allocated - held.total)
    return (*astuple(held), rest)


def _plot_bar(axes: Axes, bar: Bar, unit: float) -> None:
    bottom = 0.0
    for (_, colour, hatch), size in zip(PARTS, bar.parts, strict=True):
        if size:
            axes.bar(bar.at, size / unit, 0.8, bottom, color=colour, hatch=hatch, **EDGE)
        bottom += size / unit
    if bar.allocated is not None:
        axes.hlines(bar.allocated / unit, bar.at - 0.48, bar.at + 0.48, color=BLACK, linewidth=2)


def _title(result: MeasuredCase, bars: list[Bar], results: list[MeasuredCase]) -> str:
    """Return the label in short lines, marked where there is nothing but a prediction."""
    words = label(result, results).replace(", ", "\n").replace(" (", "\n(")
    known = any(bar.allocated is not None for bar in bars)
    return f"\n{words}" if known else f"\n{words}\npredicted only"


def _keys(bars: list[Bar]) -> list[Patch | Line2D]:
    keys: list[Patch | Line2D] = [
        Patch(facecolor=colour, hatch=hatch, label=name, **EDGE)
        for part, (name, colour, hatch) in enumerate(PARTS)
        if any(bar.parts[part] for bar in bars)
    ]
    return [*keys, Line2D([], [], color=BLACK, linewidth=2, label="measured peak")]


def _in_words(result: MeasuredCase, bars: list[Bar], results: list[MeasuredCase]) -> str:
    each = (
        f"GPU {bar.gpu} predicted {data_size(sum(bar.parts))}, not measured"
        if bar.allocated is None
        else f"GPU {bar.gpu} predicted {data_size(sum(bar.parts[:-1]))}, "
        f"measured {data_size(bar.allocated)}"
        for bar in bars
    )
    return f"{label(result, results)}: {'; '.join(each)}."
