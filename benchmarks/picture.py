"""Draw rounds as dots and their median as a mark, one panel per number."""

import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import FixedLocator, MaxNLocator, StrMethodFormatter

OURS = "#d98e04"
"""Honey: what is ours stands out, others are told apart by their names."""
OTHER = "#5f7184"
INK = "#22272e"
_PALE = "#e4e7eb"
_ROW_IN = 0.34
_HEAD_IN = 0.95


def sheet(title: str, subtitle: str, *, lines: Sequence[int], columns: int) -> tuple[Figure, list[list[Axes]]]:
    """Return a figure and its axes by row and column; *lines* says how many lines the panels of each row have."""
    heights = [_HEAD_IN + _ROW_IN * count for count in lines]
    figure = Figure(figsize=(3.6 * columns + 1.2, sum(heights) + 0.9), layout=_layout(), facecolor="white")
    figure.suptitle(title, x=0.012, ha="left", fontsize=15, fontweight="bold", color=INK)
    figure.supxlabel(subtitle, x=0.012, ha="left", fontsize=8.5, color=OTHER)
    axes = figure.subplots(len(lines), columns, squeeze=False, gridspec_kw={"height_ratios": heights})
    return figure, [list(row) for row in axes]


def _layout() -> ConstrainedLayoutEngine:
    return ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.10)


def dots(
    axes: Axes, groups: Mapping[str, Sequence[float]], *, title: str, ours: Sequence[str], heading: str = ""
) -> None:
    """Draw one line per group: a dot for each round, a bar and its number for the median; *heading* names the row."""
    # The empty lines keep room for the heading, which may reach over the next panel and so takes none itself.
    axes.set_title(f"\n\n{title}", loc="left", fontsize=9, color=OTHER)
    named = axes.annotate(
        heading, (0, 1), xytext=(0, 24), xycoords="axes fraction", textcoords="offset points", fontsize=10.5,
        fontweight="bold", color=INK,
    )  # fmt: skip
    named.set_in_layout(False)
    for line, (name, values) in enumerate(groups.items()):
        _draw_line(axes, line, values, is_ours=name in ours)
    axes.set_yticks(range(len(groups)), list(groups))
    axes.set_ylim(len(groups) - 0.4, -0.6)
    most = max((value for values in groups.values() for value in values), default=0)
    axes.set_xlim(0, most * 1.08 or 1)
    axes.xaxis.set_major_locator(MaxNLocator(4) if most else FixedLocator([0]))
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}" if most >= 4 or not most else "{x:g}"))
    plain(axes)


def _draw_line(axes: Axes, line: int, values: Sequence[float], *, is_ours: bool) -> None:
    colour = OURS if is_ours else OTHER
    beside = axes.get_yaxis_transform()
    if not values:
        axes.text(0.02, line, "not measured", transform=beside, va="center", fontsize=8, color=OTHER)
        return
    median = statistics.median(values)
    axes.plot(values, [line] * len(values), "o", color=colour, alpha=0.45, markersize=5, markeredgewidth=0)
    axes.plot([median], [line], "|", color=colour, markersize=17, markeredgewidth=2.6)
    axes.text(
        1.02, line, _told(median), transform=beside, va="center", fontsize=9, color=colour if is_ours else INK,
        fontweight="bold" if is_ours else "normal",
    )  # fmt: skip


def plain(axes: Axes) -> None:
    """Take away what tells nothing."""
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(_PALE)
    axes.tick_params(length=0, labelsize=8, colors=OTHER)
    axes.tick_params(axis="y", labelsize=9, labelcolor=INK)
    axes.grid(axis="x", color=_PALE, linewidth=0.8)
    axes.set_axisbelow(True)


def save(figure: Figure, file: Path) -> None:
    """Write *figure* in the format that the name of *file* says."""
    file.parent.mkdir(parents=True, exist_ok=True)
    # Without a date the same numbers give the same file.
    metadata = {"Date": None} if file.suffix == ".svg" else {}
    figure.savefig(file, dpi=150, metadata=metadata)


def _told(value: float) -> str:
    if value >= 100 or float(value).is_integer():
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"
