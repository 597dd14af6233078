"""The rows as one picture: latency above, the peak in the middle, waiting carts below."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from benchmarks.picture import INK, OTHER, OURS, plain, save

Row = Mapping[str, Any]

_COLOURS = {"sqlite": OURS, "postgresql": OTHER}
_NAMES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}
_LATE_MIN = 10
"""After a cart fell due: half an hour after it was left."""
_LINE_IN = 0.32
_HEAD_IN = 1.15
_CURVE_IN = 2.6


def draw(rows: Sequence[Row], file: Path) -> None:
    """Draw what there is of *rows* into *file*, whose name says the format."""
    panels = [(kind, [row for row in rows if row["row"] == kind]) for kind in _DRAWN]
    panels = [(kind, mine) for kind, mine in panels if mine]
    heights = [_HEAD_IN + (_CURVE_IN if kind == "peak" else _LINE_IN * len(mine)) for kind, mine in panels]
    figure = Figure(figsize=(9.6, sum(heights) + 0.5), layout="constrained", facecolor="white")
    figure.suptitle("The abandoned cart, end to end", x=0.012, ha="left", fontsize=15, fontweight="bold", color=INK)
    parts = figure.subfigures(len(panels), 1, squeeze=False, height_ratios=heights)
    for (kind, mine), part in zip(panels, parts[:, 0], strict=True):
        _DRAWN[kind](part, mine)
    save(figure, file)


def _latency(part: SubFigure, rows: Sequence[Row]) -> None:
    shown = {
        "accepted_to_first_effect_ms": "Accepted webhook to first effect",
        "accepted_to_mail_ms": "... to the mail  (● median, ○ 99th percentile)",
    }
    names = [f"{_NAMES[row['database']]}, {_load(row)}" for row in rows]
    for axes, (field, title) in zip(_axes(part, len(shown)), shown.items(), strict=True):
        axes.set_title(title, loc="left", fontsize=9)
        for line, row in enumerate(rows):
            low, high, colour = row[field]["p50"], row[field]["p99"], _COLOURS[row["database"]]
            axes.plot([low, high], [line, line], color=colour, linewidth=2.5, alpha=0.5, solid_capstyle="round")
            axes.plot([low], [line], "o", color=colour, markersize=7)
            axes.plot([high], [line], "o", color=colour, markersize=7, markerfacecolor="white", markeredgewidth=1.8)
            axes.annotate(f"{low:,.0f} / {high:,.0f} ms", (1.01, line), xycoords=("axes fraction", "data"),
                          va="center", fontsize=8, color=INK)  # fmt: skip
        axes.set_xlim(0, 1.08 * max(row[field]["p99"] for row in rows))
        _lines(axes, names if field == next(iter(shown)) else [""] * len(names))


def _peak(part: SubFigure, rows: Sequence[Row]) -> None:
    [axes] = _axes(part, 1)
    carts = max(row["carts"] for row in rows)
    axes.set_title(f"{carts:,} carts fall due within one minute: mails that have left", loc="left", fontsize=9)
    last_min = max(row["last_mail_s"] or 0 for row in rows) / 60
    for row in rows:
        colour = _COLOURS[row["database"]]
        minutes = [0.0, *(seconds / 60 for seconds, _ in row["arrivals"])]
        counts = [0, *(count for _, count in row["arrivals"])]
        axes.plot(minutes, counts, color=colour, linewidth=2.2)
        axes.plot(minutes[-1:], counts[-1:], "o", color=colour, markersize=6)
        axes.annotate(f"{_NAMES[row['database']]}\n{row['mails_per_s']:g} a second", (minutes[-1], counts[-1]),
                      xytext=(7, -4), textcoords="offset points", va="top", fontsize=8, color=INK)  # fmt: skip
    axes.axvspan(_LATE_MIN, _LATE_MIN * 10, color=OTHER, alpha=0.10, linewidth=0)
    if last_min > _LATE_MIN * 0.7:
        axes.annotate("later than 30 minutes", (_LATE_MIN, carts * 0.03), xytext=(5, 0), textcoords="offset points",
                      fontsize=8, color=OTHER)  # fmt: skip
    axes.set_xlim(0, last_min * 1.18 or 1)
    axes.set_ylim(0, carts * 1.05)
    axes.set_xlabel("minutes since the first was due", fontsize=8, color=OTHER)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    plain(axes)
    axes.tick_params(axis="y", labelsize=8, labelcolor=OTHER)


def _waiting(part: SubFigure, rows: Sequence[Row]) -> None:
    shown = {
        "broker_rss_bytes": "One waiting cart: broker's memory",
        "engine_disk_bytes": "engine's disk",
        "database_bytes": "database",
    }
    names = [f"{_NAMES[row['database']]}, {row['carts']:,} carts" for row in rows]
    for axes, (field, title) in zip(_axes(part, len(shown)), shown.items(), strict=True):
        axes.set_title(title, loc="left", fontsize=9)
        values = [row["per_cart"][field] / 1024 for row in rows]
        for line, (row, value) in enumerate(zip(rows, values, strict=True)):
            axes.barh(line, value, height=0.55, color=_COLOURS[row["database"]], alpha=0.85)
            axes.annotate(f"{value:.1f} KiB", (max(value, 0), line), xytext=(4, 0), textcoords="offset points",
                          va="center", fontsize=8, color=INK)  # fmt: skip
        axes.set_xlim(min(0, *values), 1.35 * max(*values, 0.1))
        _lines(axes, names if field == next(iter(shown)) else [""] * len(names))


def _axes(part: SubFigure, count: int) -> list[Axes]:
    return list(part.subplots(1, count, squeeze=False)[0])


def _lines(axes: Axes, names: Sequence[str]) -> None:
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.xaxis.set_major_locator(MaxNLocator(4))
    plain(axes)


def _load(row: Row) -> str:
    return "one at a time" if row["load"] == "idle" else f"{row['offered_per_s']:g} carts/s ({row['load']})"


_DRAWN: Mapping[str, Callable[[SubFigure, Sequence[Row]], None]] = {
    "latency": _latency,
    "peak": _peak,
    "waiting": _waiting,
}
