"""`waggle journeys`: how every journey is doing; pause and resume one."""

import asyncio
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import msgspec
from cyclopts import App as Commands
from cyclopts import Parameter
from rich.console import Console
from rich.table import Table
from rich.text import Text

from waggle.app import App
from waggle.cli.acting import By, acting
from waggle.cli.with_app import with_app
from waggle.errors import TemporaryFailure
from waggle.operate import open_incidents
from waggle.services.journey_overview import JourneyLine, VersionLine

app = Commands(
    name="journeys",
    help="Journeys: which versions run, who is in them, and pausing one.\n\n"
    'Example: `waggle journeys pause win-back --reason "wrong voucher in the mail"`',
)

Incidents = Mapping[tuple[str, int], int]
"""Open incidents by process id and version."""
Reason = Annotated[str, Parameter(name="--reason")]


@app.default
@app.command(name="list")
def list_(*, json: bool = False) -> None:
    """List journeys: enabled or paused, versions, and how many are on each.

    Example: `waggle journeys list`

    Parameters
    ----------
    json
        One JSON document for programs.
    """

    async def look(waggle: App) -> tuple[list[JourneyLine], Incidents | None]:
        incidents = await asyncio.to_thread(_incidents, waggle.settings.engine_home)
        return await waggle.journey_overview.lines(), incidents

    lines, incidents = with_app(look)
    if json:
        told = [{**msgspec.to_builtins(line), "incidents": _of_journey(line, incidents)} for line in lines]
        print(msgspec.json.encode(told).decode())
        return
    table = Table(box=None, pad_edge=False, show_header=False)
    for line in lines:
        table.add_row(_state(line), Text(_said(line, incidents), overflow="fold"))
    Console().print(table, highlight=False)
    if incidents is None:
        print("Incidents are not counted: no Operate of this installation runs.")


@app.command
def pause(journey: str, *, reason: Reason, by: By = None) -> None:
    """Let nobody enter a journey and hold its messages, at once and in every process.

    Events are applied as ever, timers go on, and an order or a withdrawn consent ends a journey. Who would have entered
    is counted and does not enter later. What waits and is still valid leaves after `resume`.

    Example: `waggle journeys pause win-back --reason "wrong voucher in the mail"`

    Parameters
    ----------
    journey
        Its process id, as `waggle journeys` shows it.
    reason
        Why, without naming a customer.
    by
        Who pauses it; without it, who is logged in.
    """

    async def put(waggle: App) -> bool:
        who = await acting(waggle, by, "journeys:manage")
        return await waggle.pausing.pause(journey, by=who, why=reason)

    print(f"{journey} is paused." if with_app(put) else f"{journey} is paused already.")


@app.command
def resume(journey: str, *, reason: Reason = "resumed", by: By = None) -> None:
    """Let a paused journey go on; messages that waited leave within a quarter of an hour if they are still valid.

    Example: `waggle journeys resume win-back`

    Parameters
    ----------
    journey
        Its process id.
    reason
        Why, without naming a customer.
    by
        Who resumes it; without it, who is logged in.
    """

    async def end(waggle: App) -> str:
        who = await acting(waggle, by, "journeys:manage")
        pause = await waggle.pausing.resume(journey, by=who, why=reason)
        if pause is None:
            return f"{journey} is not paused."
        return f"{journey} goes on; {pause.kept_out} were kept out since {pause.paused_at:%Y-%m-%d %H:%M} UTC."

    print(with_app(end))


def _incidents(engine_home: Path) -> Incidents | None:
    try:
        return open_incidents(engine_home)
    except TemporaryFailure as failure:
        print(f"Operate did not say which incidents there are: {failure.message}", file=sys.stderr)
        return None


def _of_journey(line: JourneyLine, incidents: Incidents | None) -> dict[str, int] | None:
    """Return the incidents of a journey by version; None: not known."""
    if incidents is None:
        return None
    return {str(version): count for (journey, version), count in incidents.items() if journey == line.journey}


def _state(line: JourneyLine) -> Text:
    if line.pause is not None:
        return Text("paused", "bold red")
    return Text("enabled", "green") if line.enabled else Text("off", "dim")


def _said(line: JourneyLine, incidents: Incidents | None) -> str:
    lines = [line.journey]
    if line.pause is not None:
        pause = line.pause
        since = f"{pause.paused_at:%Y-%m-%d %H:%M} UTC"
        lines.append(f"  paused since {since} by {pause.by}: {pause.why}; {pause.kept_out} kept out")
    if line.deployed_at is None:
        lines.append("  never deployed from here")
    else:
        back = ", rolled back" if line.rolled_back else ""
        lines.append(f"  deployed {line.deployed_at:%Y-%m-%d %H:%M} UTC by {line.deployed_by}{back}")
    if line.entering:
        lines.append(f"  {line.entering} about to begin")
    lines += [f"  {_version(version)}" for version in line.versions]
    stuck = _of_journey(line, incidents) or {}
    lines += [f"  incidents on version {version}: {count}" for version, count in sorted(stuck.items())]
    return "\n".join(lines)


def _version(line: VersionLine) -> str:
    if line.version is None:
        named = "unknown version"
    else:
        tag = f" ({line.version_tag})" if line.version_tag else ""
        named = f"version {line.version}{tag}{', the newest' if line.newest else ''}"
    waiting = f", {line.waiting} of them with a message that waits" if line.waiting else ""
    return f"{named}: {line.running} running{waiting}"
