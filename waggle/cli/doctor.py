"""`waggle doctor`: is everything as it should be, and if not, what to do."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal

import msgspec
from rich.console import Console
from rich.table import Table

from waggle.app import App
from waggle.errors import BadSettings, WaggleError
from waggle.ports.email import EmailSender
from waggle.processes import engine_client
from waggle.registry import find_connectors, find_tasks
from waggle.services.deployment import files_in
from waggle.services.diagram_checks import check_diagrams
from waggle.settings import load_settings


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at."""

    what: str
    state: Literal["good", "bad"]
    detail: str


def doctor(*, json: bool = False) -> int:
    """Check settings, database, diagrams, connectors, ports and engine; the exit code is 1 if something is bad.

    Example: `waggle doctor --json`

    Parameters
    ----------
    json
        One JSON document for programs.
    """
    findings = asyncio.run(_examine())
    if json:
        print(msgspec.json.encode(findings).decode())
    else:
        table = Table(box=None, pad_edge=False, show_header=False)
        for finding in findings:
            mark = "[green]good[/]" if finding.state == "good" else "[bold red]bad[/]"
            table.add_row(mark, finding.what, finding.detail)
        Console().print(table)
    return int(any(finding.state == "bad" for finding in findings))


async def _examine() -> list[Finding]:
    try:
        settings = load_settings()
    except WaggleError as error:
        return [Finding("settings", "bad", str(error))]
    app = App(settings)
    own = sorted({source for source in settings.sources.values() if not source.endswith("config/waggle.toml")})
    checks: list[tuple[str, Callable[[], Awaitable[str]]]] = [
        ("tasks", lambda: _done(f"{len(find_tasks())} task types")),
        ("connectors", lambda: _connectors(app)),
        ("journeys", lambda: _journeys(app)),
        ("messages", lambda: _done(f"{len(app.templates.names)} templates in {settings.config_dir / 'messages'}")),
        ("database", lambda: _database(app)),
        ("engine", lambda: _engine(app)),
        ("api port", lambda: _port(settings.api.host, settings.api.port)),
    ]
    found = [Finding("settings", "good", f"{settings.config_dir}{''.join(f', {name}' for name in own)}")]
    for what, check in checks:
        try:
            found.append(Finding(what, "good", await check()))
        except WaggleError as error:
            found.append(Finding(what, "bad", str(error)))
    app.close()
    return found


async def _done(text: str) -> str:
    return text


async def _connectors(app: App) -> str:
    app.provider(EmailSender)
    return f"{', '.join(find_connectors())}; e-mail can leave through one of them"


async def _journeys(app: App) -> str:
    settings = app.settings
    findings = check_diagrams(settings.bpmn_dir, settings.config_dir, find_tasks())
    if findings:
        raise BadSettings("DIAGRAMS_WRONG", "\n".join(str(finding) for finding in findings))
    _ = app.catalogue, app.journeys
    return f"{len(files_in(settings.bpmn_dir))} diagrams and decisions in {settings.bpmn_dir}"


async def _database(app: App) -> str:
    pending = await app.store.read(lambda tx: tx.events.count_pending())
    set_aside = await app.store.read(lambda tx: tx.events.quarantined())
    kind = "SQLite" if app.settings.database_url.startswith("sqlite") else "PostgreSQL"
    return f"{kind}, up to date; {pending} events to apply, {len(set_aside)} set aside"


async def _engine(app: App) -> str:
    async with engine_client(app) as engine:
        topology = await engine.topology()
    return f"Zeebe {topology.gateway_version}, {topology.partitions_led} of {topology.partitions} partitions led"


async def _port(host: str, port: int) -> str:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
        sock.settimeout(1)
        taken = sock.connect_ex((host, port)) == 0
    return f"{host}:{port} answers" if taken else f"{host}:{port} is free"
