"""Rows of numbers and what they amount to, told as JSON and as a table."""

import json
import os
import platform
import statistics
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any, TypedDict

import psutil
from rich.console import Console
from rich.table import Table

Row = Mapping[str, Any]
"""One measurement: what was measured, and numbers; a dotted name such as `latency_ms.p50` reads inside."""

_ROOT = Path(__file__).parents[1]


class Spread(TypedDict):
    """Over the rounds of one measurement."""

    median: float
    min: float
    max: float


@dataclass(frozen=True, slots=True)
class Goal:
    """Something that was wanted, and what was measured of it."""

    goal: str
    wanted: str
    measured: float | int | None
    met: bool | None
    """None: what it takes was not measured."""


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def _machine() -> dict[str, object]:
    """Describe what it was measured on, and how busy that was just now."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "load_1min": round(os.getloadavg()[0], 2),
    }


def _commit() -> str:
    """Return the commit that was measured, marked if files were changed since; "unknown" outside a repository."""
    asked = subprocess.run(
        ["git", "-C", str(_ROOT), "describe", "--always", "--dirty", "--exclude", "*"],
        capture_output=True,
        text=True,
        check=False,
    )
    return asked.stdout.strip() or "unknown"


@dataclass(frozen=True, slots=True)
class Report:
    """What one run of a benchmark found; `how` says under which conditions."""

    benchmark: str
    how: Mapping[str, object]
    rows: Sequence[Row]
    summary: Sequence[Row]
    goals: Sequence[Goal] = ()
    notes: Sequence[str] = ()
    machine: Mapping[str, object] = field(default_factory=_machine)
    measured_at: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    commit: str = field(default_factory=_commit)

    def write(self, file: Path) -> None:
        """Write it as JSON."""
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(asdict(self), indent=1, default=str) + "\n", "utf-8")


def number(row: Row, name: str) -> float | None:
    """Return what *row* says under the dotted *name*; None if it says nothing, or nothing that is a number."""
    value: object = row
    for part in name.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def spread(values: Sequence[float]) -> Spread | None:
    """Return median, least and most; None of nothing."""
    if not values:
        return None
    return Spread(median=_short(statistics.median(values)), min=_short(min(values)), max=_short(max(values)))


def percentiles(values: Sequence[float]) -> dict[str, float | None]:
    """Return p50 and p99 by nearest rank: each is a value that was measured."""
    ordered = sorted(values)
    return {f"p{rank}": _short(ordered[-(-len(ordered) * rank // 100) - 1]) if ordered else None for rank in (50, 99)}


def summed_up(rows: Sequence[Row], *, by: Sequence[str], of: Sequence[str]) -> list[Row]:
    """Return one row per group of *by*, in the order in which groups first come, with the spread of each *of*."""
    first_seen = {_group(row, by): place for place, row in reversed(list(enumerate(rows)))}
    found: list[Row] = []
    for group, members in groupby(
        sorted(rows, key=lambda row: first_seen[_group(row, by)]), key=lambda row: _group(row, by)
    ):
        listed = list(members)
        values = {name: [value for row in listed if (value := number(row, name)) is not None] for name in of}
        spreads = {name: found_spread for name in of if (found_spread := spread(values[name]))}
        if spreads:
            found.append({**dict(zip(by, group, strict=True)), "rounds": len(listed), **spreads})
    return found


def in_short(value: float) -> str:
    """Return *value* with three digits, or all before the point if they are more."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def told(report: Report, console: Console, *, by: Sequence[str], of: Mapping[str, str]) -> None:
    """Print the summary as a table, medians with their spread, then goals and notes; *of* names the columns."""
    table = Table(title=f"{report.benchmark}: medians, least and most of the rounds", title_justify="left")
    for name in by:
        table.add_column(name)
    for heading in of.values():
        table.add_column(heading, justify="right")
    for row in report.summary:
        table.add_row(*(str(row.get(name) or "") for name in by), *(_cell(row.get(name)) for name in of))
    console.print(table)
    for goal in report.goals:
        sign = {True: "[green]met[/]", False: "[red]missed[/]", None: "[yellow]not measured[/]"}[goal.met]
        console.print(f"{sign}  {goal.goal}: wanted {goal.wanted}, measured {goal.measured}")
    for note in report.notes:
        console.print(f"Note: {note}")


def _group(row: Row, by: Sequence[str]) -> tuple[object, ...]:
    return tuple(row.get(name) for name in by)


def _short(value: float) -> float:
    """Keep no more digits than a measurement has: three places, and none of what is whole."""
    return int(value) if float(value).is_integer() else round(value, 3)


def _cell(value: Spread | None) -> str:
    if value is None:
        return "-"
    if value["min"] == value["max"]:
        return in_short(value["median"])
    return f"{in_short(value['median'])} [dim]{in_short(value['min'])}..{in_short(value['max'])}[/]"
