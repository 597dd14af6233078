"""`waggle up`: everything on this machine."""

import asyncio
import signal

from rich.console import Console
from rich.table import Table

from waggle.app import App
from waggle.cli.progress import shown
from waggle.engine.local import EngineOptions
from waggle.installation import Installation, installed
from waggle.log import configure
from waggle.settings import Settings, load_settings

FIRST_SOURCE = "shop"


def up() -> None:
    """Run engine, mailbox, API, relay and workers; start again what dies; Ctrl-C ends all.

    Example: `WAGGLE_ENGINE__OPERATE=false waggle up`
    """
    settings = load_settings()
    configure(settings.log.form, settings.log.level)
    app = App(settings)
    try:
        asyncio.run(_up(app))
    finally:
        app.close()


def engine_options(settings: Settings) -> EngineOptions | None:
    """Return how to start the embedded engine, or None if the settings name another."""
    if not settings.embedded_engine:
        return None
    offset = settings.engine.port_offset
    return EngineOptions(
        home=settings.engine_home,
        with_operate=settings.engine.operate,
        port_offset=None if offset < 0 else offset,
    )


async def _up(app: App) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    console = Console()
    with shown(console) as progress:
        async with installed(app, engine_options(app.settings), progress, {}) as installation:
            progress.ended()
            await _greet(console, installation)
            await stop.wait()
            console.print("Ending everything ...")


async def _greet(console: Console, installation: Installation) -> None:
    app = installation.app
    table = Table(box=None, pad_edge=False, show_header=False)
    for name, address in installation.addresses.items():
        table.add_row(name, address)
    table.add_row("Journeys", ", ".join(each.name for each in installation.deployed if each.kind == "process"))
    table.add_row("Logs", str(app.settings.home / "logs"))
    console.print(table)
    if not await app.store.read(lambda tx: tx.write_keys.sources()):
        key = await app.write_keys.create(FIRST_SOURCE)
        console.print(f"Write key of the source {FIRST_SOURCE!r}, shown this once: [bold]{key}[/]")
    console.print("Ctrl-C ends everything.")
