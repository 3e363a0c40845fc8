"""Style of all drawings, in colour and in grey, and their rendering as SVG."""

import hashlib
import io
import re
import warnings
from collections.abc import Callable
from typing import Any

import matplotlib
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure as Drawing

# Okabe and Ito's colours, safe for the colour-blind; neighbours differ in grey too.
BLACK, BLUE, ORANGE, GREEN = "#000000", "#0072B2", "#E69F00", "#009E73"
YELLOW, RED, SKY, PURPLE = "#F0E442", "#D55E00", "#56B4E9", "#CC79A7"
GREY, PALE, DIM = "#D9D9D9", "#F0F0F0", "#555555"
GPU_COLOURS = (BLUE, ORANGE, GREEN, YELLOW, RED, SKY, PURPLE)
SERIES = ((BLUE, "o", "-"), (RED, "s", "--"), (GREEN, "^", "-."), (PURPLE, "D", ":"))
EMULATED = "////"  # hatch of bars from emulated GPUs

WIDTH = 6.3  # inches: the text of an A4 page
SMALL = 7.5  # points
LEGEND_LINE = 0.18  # inches
EDGE: dict[str, Any] = {"edgecolor": BLACK, "linewidth": 0.5}
STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans",  # comes with matplotlib, so that all machines have it
    "font.size": 8.5,
    "axes.titlesize": 8.5,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "grid.color": GREY,
    "grid.linewidth": 0.5,
    "hatch.linewidth": 0.5,
    "legend.fontsize": SMALL,
    "legend.frameon": False,
    "errorbar.capsize": 3,
    "text.parse_math": False,  # a $ is a $
    "svg.fonttype": "path",  # letters are shapes: the viewer needs no font
    "svg.hashsalt": "mpbench",  # else ids are random
}
NOTHING = dict.fromkeys(("Date", "Creator", "Format", "Type"))


def draw(height: float, origin: str, plot: Callable[[Drawing], None]) -> str:
    """Return the drawing as an svg element; the same numbers give the same text.

    Args:
        height: In inches; the width is that of the page.
        origin: Words for the corner: where the numbers come from.
        plot: Draws into the given figure.
    """
    with matplotlib.rc_context(), warnings.catch_warnings():
        # A letter that the font lacks becomes a box.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        warnings.filterwarnings("ignore", message="constrained_layout not applied")
        matplotlib.rcdefaults()  # ignore the user's style
        matplotlib.rcParams.update(STYLE)
        drawing = Drawing(figsize=(WIDTH, height), layout="constrained")
        colour = RED if origin.startswith("emulated") else DIM
        drawing.suptitle(origin, x=0.99, ha="right", fontsize=SMALL, color=colour)
        plot(drawing)
        return to_svg(drawing)


def to_svg(drawing: Drawing) -> str:
    """Return the drawing as an svg element, with ids that no other drawing has."""
    text = io.StringIO()
    # Not savefig, which draws everything once more only to find its place.
    canvas: Any = FigureCanvasSVG(drawing)
    canvas.print_svg(text, metadata=NOTHING)
    svg = text.getvalue()
    svg = svg[svg.index("<svg") :]  # without the prologue of a file
    # Glyphs and clip paths have the same ids in all drawings of a page.
    own = f"f{hashlib.sha256(svg.encode()).hexdigest()[:10]}"
    return re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{own}-", svg)


def ink_on(colour: str) -> str:
    """Return black or white, whichever is readable on this colour."""
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return BLACK if 0.3 * red + 0.59 * green + 0.11 * blue > 120 else "#FFFFFF"


def darker(colour: str) -> str:
    """Return a darker shade of this colour."""
    parts = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return "#" + "".join(f"{round(0.78 * part):02X}" for part in parts)
