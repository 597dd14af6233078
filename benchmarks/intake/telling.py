"""What the rows amount to: against what was wanted, as a table, as a picture."""

import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.picture import dots, save, sheet
from benchmarks.report import Goal, Report, in_short, number

Row = Mapping[str, Any]

_FLOORS = (
    ("batch", "of_bare", 0.5, "batches of 100 against bare inserts, best number of clients"),
    ("single", "of_judged", 0.4, "single events against the server that only judges, 16 clients and more"),
    ("read", "of_constant", 0.5, "questions against a constant answer, 16 connections and more"),
)
_ALONE = 16
"""With fewer clients there is nothing to share a commit or a look at the tables with: that is a matter of delay."""
_MOST_P99_MS = 250
_MOST_GROWN = 1.1
_NAMES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}
_SHOWN = {
    "batch": (("events_per_s", "events/s in batches of 100"), ("of_bare", "of bare inserts")),
    "single": (("events_per_s", "single events/s"), ("of_judged", "of the server that only judges")),
    "delay": (("latency_ms.p50", "acknowledged at 70 % load, p50 ms"), ("latency_ms.p99", "p99 ms")),
    "read": (("answers_per_s", "answers/s"), ("of_constant", "of a constant answer")),
    "memory": (("rss_mb_last_quarter", "memory after the overload, MB"), ("grown", "of the second quarter")),
}


def goals(rows: Sequence[Row]) -> list[Goal]:
    """Return what was wanted and what was measured, of the medians of the rounds."""
    found = []
    for database in _databases(rows):
        of_database = [row for row in rows if row["database"] == database]
        for name, share, floor, words in _FLOORS:
            medians = _medians(of_database, name, share)
            if name != "batch":
                medians = {clients: value for clients, value in medians.items() if clients >= _ALONE}
            if medians:
                measured = max(medians.values()) if name == "batch" else min(medians.values())
                found.append(Goal(f"{_NAMES[database]}: {words}", f">= {floor}", measured, measured >= floor))
        for name, value, most, words in (
            ("delay", "latency_ms.p99", _MOST_P99_MS, "p99 of the acknowledgement at 70 % load, ms"),
            ("memory", "grown", _MOST_GROWN, "memory at the end of the overload, of that in its second quarter"),
        ):
            found += [
                Goal(f"{_NAMES[database]}: {words}", f"< {most}", measured, measured < most)
                for measured in _medians(of_database, name, value).values()
            ]
    return found


def told(report: Report, console: Console) -> None:
    """Print every number of clients with its medians, then what was wanted."""
    table = Table(title="intake: medians of the rounds", title_justify="left")
    for heading in ("row", "database", "clients", "measured", "share", "p50 ms", "p99 ms"):
        table.add_column(heading, justify="left" if heading in {"row", "database"} else "right")
    for name, shown in _SHOWN.items():
        for database in _databases(report.rows):
            mine = [row for row in report.rows if row["row"] == name and row["database"] == database]
            for clients in sorted({row["clients"] for row in mine}):
                of_clients = [row for row in mine if row["clients"] == clients]
                values = [
                    _median(of_clients, each) for each in (shown[0][0], shown[1][0], "latency_ms.p50", "latency_ms.p99")
                ]
                cells = ["-" if value is None else in_short(value) for value in values]
                table.add_row(name, _NAMES[database], str(clients), *cells)
    console.print(table)
    for goal in report.goals:
        sign = {True: "[green]met[/]", False: "[red]missed[/]", None: "[yellow]not measured[/]"}[goal.met]
        console.print(f"{sign}  {goal.goal}: wanted {goal.wanted}, measured {goal.measured}")


def draw(rows: Sequence[Row], file: Path) -> None:
    """Draw what there is of *rows* into *file*, whose name says the format."""
    panels = [name for name in _SHOWN if any(row["row"] == name for row in rows)]
    groups = {name: _groups(rows, name) for name in panels}
    figure, axes = sheet(
        "What the door takes",
        "Each dot is a round, the bar their median. One server process; clients and database share its machine.",
        lines=[len(groups[name]) for name in panels],
        columns=2,
    )
    for name, row_of_axes in zip(panels, axes, strict=True):
        for (value, title), panel in zip(_SHOWN[name], row_of_axes, strict=True):
            values = {
                label: [each for row in mine if (each := number(row, value)) is not None]
                for label, mine in groups[name].items()
            }
            ours = [label for label in values if label.startswith("SQLite")]
            dots(panel, values, title=title, ours=ours, heading=name if value == _SHOWN[name][0][0] else "")
    save(figure, file)


def _groups(rows: Sequence[Row], name: str) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for row in rows:
        if row["row"] == name:
            found.setdefault(f"{_NAMES[row['database']]}, {row['clients']} clients", []).append(row)
    return found


def _databases(rows: Sequence[Row]) -> list[str]:
    return [name for name in _NAMES if any(row["database"] == name for row in rows)]


def _medians(rows: Sequence[Row], name: str, value: str) -> dict[int, float]:
    mine = [row for row in rows if row["row"] == name]
    found = {clients: _median([row for row in mine if row["clients"] == clients], value) for clients in _clients(mine)}
    return {clients: median for clients, median in found.items() if median is not None}


def _clients(rows: Sequence[Row]) -> list[int]:
    return sorted({row["clients"] for row in rows})


def _median(rows: Sequence[Row], value: str) -> float | None:
    values = [each for row in rows if (each := number(row, value)) is not None]
    return round(statistics.median(values), 3) if values else None
