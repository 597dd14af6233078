"""`waggle doctor`: is everything as it should be, and if not, what to do."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import msgspec
import psutil
from rich.console import Console
from rich.table import Table
from rich.text import Text

from waggle.app import App
from waggle.errors import BadSettings, TemporaryFailure, WaggleError
from waggle.listening import listener, listening
from waggle.ports.email import EmailSender
from waggle.ports.sources import EventFeed, EventQueue, EventStream, Webhook
from waggle.processes import doors
from waggle.reaching import engine_answers, engine_defect
from waggle.registry import find_connectors
from waggle.resources import shipped
from waggle.services.bundles import files_in
from waggle.services.deployment import refuse_wrong
from waggle.settings import Settings, load_settings, typed_section

_ENGINE_WITHIN_S = 5.0
_WITHIN_S = 3.0
_NO_EVENT = 0
"""Sequences begin at 1."""


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
        _show(findings)
    return int(any(finding.state == "bad" for finding in findings))


async def _examine() -> list[Finding]:
    try:
        settings = load_settings()
    except WaggleError as error:
        return [Finding("settings", "bad", str(error))]
    app = App(settings)
    checks: list[tuple[str, Callable[[], Awaitable[str]]]] = [
        ("tasks", lambda: _tasks(app)),
        ("connectors", lambda: _connectors(app)),
        ("sources", lambda: _sources(app)),
        ("diagrams", lambda: _diagrams(app)),
        ("messages", lambda: _messages(app)),
        ("database", lambda: _database(app)),
        ("engine", lambda: _engine(app)),
        ("ports", lambda: _ports(settings)),
    ]
    found = [Finding("settings", "good", _settings(settings))]
    try:
        for what, check in checks:
            try:
                found.append(Finding(what, "good", await check()))
            except WaggleError as error:
                found.append(Finding(what, "bad", str(error)))
    finally:
        app.close()
    return found


def _show(findings: Sequence[Finding]) -> None:
    table = Table(box=None, pad_edge=False, show_header=False)
    for finding in findings:
        style = "green" if finding.state == "good" else "bold red"
        table.add_row(Text(finding.state, style), finding.what, Text(finding.detail, overflow="fold"))
    console = Console()
    console.print(table)
    bad = sum(finding.state == "bad" for finding in findings)
    console.print(Text(f"{bad} to mend" if bad else "All is well.", "bold red" if bad else "green"))


def _settings(settings: Settings) -> str:
    """Say where things lie and what is in force besides the defaults; no value that may be a secret."""
    defaults = {str(folder / "waggle.toml") for folder in (shipped("config"), settings.config_dir)}
    lines = [f"state in {settings.home}", f"configuration in {settings.config_dir}"]
    for key, source in sorted(settings.sources.items()):
        if source not in defaults:
            value = _in_force(settings, key)
            lines.append(f"{key}{f' = {value}' if value is not None else ''}, from {source}")
    return "\n".join(lines)


def _in_force(settings: Settings, key: str) -> object:
    """Return the value of the setting *key*; None of a connector's, which may be a secret."""
    section, _, name = key.rpartition(".")
    if section.startswith("worker.tasks."):
        return getattr(settings.worker.tasks[section.removeprefix("worker.tasks.")], name)
    return getattr(getattr(settings, section, None), name, None)


async def _tasks(app: App) -> str:
    return f"{len(app.tasks)} task types; `waggle tasks` lists them"


async def _connectors(app: App) -> str:
    app.systems.provider(EmailSender)
    doors = []
    for name, keys in app.settings.connectors.items():
        typed: Any = typed_section(find_connectors()[name].settings, keys, name, app.settings.sources)
        if hasattr(typed, "host") and hasattr(typed, "port"):
            if not _answers(typed.host, typed.port):
                raise TemporaryFailure(
                    "NOBODY_LISTENS",
                    f"{name}: nobody listens on {typed.host}:{typed.port}; correct {name}.host and {name}.port, "
                    "or start what should be there (the mailbox of `waggle up`, if it is that)",
                )
            doors.append(f"{name} ({typed.host}:{typed.port} answers)")
        else:
            doors.append(name)
    return ", ".join(doors)


async def _sources(app: App) -> str:
    """Make everything that sections of sources and streams ask for, so that a wrong secret or key is found here."""
    ports: list[type] = [Webhook, EventFeed, EventQueue, EventStream]
    told = []
    for section in [*app.sections.sources(), *app.sections.streams()]:
        if section.connector:
            app.sections.of_connector(section)
        told.append(f"{section.name} ({section.connector or 'write key'})")
    for port in ports:
        for section in [*app.sections.sources(port), *app.sections.streams(port)]:
            app.systems.made(section, port)
    return ", ".join(told) or "none set besides write keys"


async def _diagrams(app: App) -> str:
    settings = app.settings
    refuse_wrong(settings.bpmn_dir, settings.config_dir, app.tasks)
    _ = app.catalogue, app.journeys
    return f"{len(files_in(settings.bpmn_dir))} journeys, decisions and forms in {settings.bpmn_dir}"


async def _messages(app: App) -> str:
    return f"{len(app.templates.names)} templates in {app.settings.config_dir / 'messages'}"


async def _database(app: App) -> str:
    """Read, and write to no row at all: a database that can only be read says so."""
    await app.store.run(lambda tx: tx.events.mark_applied([_NO_EVENT], app.clock.now()))
    pending = await app.store.read(lambda tx: tx.events.count_pending())
    set_aside = await app.store.read(lambda tx: tx.events.quarantined())
    kind = "SQLite" if app.settings.database_url.startswith("sqlite") else "PostgreSQL"
    old = sum(line.remind for line in await app.accounts.keys.list())
    reminder = f"; {old} keys are old: `waggle keys list` shows which, `waggle keys rotate` replaces one" if old else ""
    return f"{kind}, up to date; {pending} events to apply, {len(set_aside)} set aside{reminder}"


async def _engine(app: App) -> str:
    address, topology = await engine_answers(app, _ENGINE_WITHIN_S)
    if not topology.is_ready:
        led = f"{topology.partitions_led} of {topology.partitions} partitions"
        raise TemporaryFailure("ENGINE_NOT_READY", f"{address} answers, but only {led} take commands: see its log")
    said = f"Zeebe {topology.gateway_version} at {address}, partitions: {topology.partitions}"
    defect = engine_defect(app, topology)
    return said if defect is None else f"{said}; this version {defect}"


async def _ports(settings: Settings) -> str:
    """Tell of each port of ours whether it is free or a part of ours has it already."""
    told = []
    for host, port, setting in doors(settings):
        try:
            with listening(host, port, setting):
                told.append(f"{port} free")
        except BadSettings:
            if not _is_ours(port):
                raise
            told.append(f"{port} ours")
    return ", ".join(told)


def _is_ours(port: int) -> bool:
    process = listener(port)
    try:
        return process is not None and any(Path(word).name == "waggle" for word in process.cmdline())
    except psutil.Error:
        return False


def _answers(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), _WITHIN_S).close()
    except OSError:
        return False
    return True
