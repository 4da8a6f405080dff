"""The look of every plot, and a figure to draw it on, without matplotlib's global state."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

#: Colours: of what is read right or stands alone, of what is wrong, and of what lies behind.
INK, WRONG, PALE = "#1f4e79", "#b3402a", "#9db8d2"
DOTS_PER_INCH = 110


def sheet(width: float, height: float) -> Figure:
    """Make an empty figure, its size in inches."""
    figure = Figure(figsize=(width, height), layout="constrained", dpi=DOTS_PER_INCH)
    FigureCanvasAgg(figure)
    return figure


def plot(width: float, height: float) -> tuple[Figure, Axes]:
    """Make a figure of one plot, its size in inches."""
    figure = sheet(width, height)
    return figure, figure.add_subplot()
