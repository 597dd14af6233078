"""`waggle up`: everything on this machine."""

import asyncio
import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from rich.console import Console
from rich.table import Table

from waggle.app import App
from waggle.cli.progress import shown
from waggle.engine.local import EngineOptions
from waggle.engine.local.locks import LockHeld, held
from waggle.errors import BadSettings
from waggle.installation import Installation, installed
from waggle.log import configure
from waggle.settings import Settings, load_settings

FIRST_SOURCE = "shop"


def up() -> int:
    """Run engine, mailbox, API, relay and workers; start again what dies; Ctrl-C ends all.

    Example: `WAGGLE_ENGINE__OPERATE=false waggle up`
    """
    settings = load_settings()
    configure(settings.log.form, settings.log.level)
    app = App(settings)
    try:
        with _alone(settings.home):
            return asyncio.run(_up(app))
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


@contextmanager
def _alone(home: Path) -> Iterator[None]:
    """Keep a second `up` out: both would think the engine theirs, and the first to end would end it for the other."""
    note = home / "up.lock"
    try:
        home.mkdir(parents=True, exist_ok=True)
        note.touch()
    except OSError as error:
        raise BadSettings("HOME_UNUSABLE", f"{home} cannot be written: set WAGGLE_HOME to a folder of yours") from error
    with ExitStack() as stack:
        try:
            stack.enter_context(held(note, limit_s=0))
        except LockHeld:
            raise BadSettings(
                "UP_ALREADY",
                f"`waggle up` runs in {home} as process {note.read_text('ascii')}: end that, "
                "or set WAGGLE_HOME to another folder",
            ) from None
        note.write_text(str(os.getpid()), encoding="ascii")
        yield


async def _up(app: App) -> int:
    console = Console()
    _cancel_at_signals(console)
    is_up = False
    try:
        with shown(console) as progress:
            async with installed(app, engine_options(app.settings), progress, {}) as installation:
                progress.ended()
                await _greet(console, installation)
                is_up = True
                await asyncio.Event().wait()
    except asyncio.CancelledError:
        console.print("Everything has ended.")
    return 0 if is_up else 130


def _cancel_at_signals(console: Console) -> None:
    """Have the first Ctrl-C or SIGTERM cancel the current task; later ones change nothing: ending is under way."""
    loop, main = asyncio.get_running_loop(), asyncio.current_task()

    def end() -> None:
        if main is not None and not main.cancelling():
            console.print("Ending everything ...")
            main.cancel()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, end)


async def _greet(console: Console, installation: Installation) -> None:
    app = installation.app
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, address in installation.addresses.items():
        table.add_row(name, address)
    # The pieces that they share are processes, too, but nobody enters one by itself.
    journeys = sorted({each.name for each in installation.deployed} & set(app.journeys.names))
    table.add_row("Journeys", ", ".join(journeys))
    table.add_row("Logs", str(app.settings.home / "logs"))
    if not await app.store.read(lambda tx: tx.keys.sources()):
        key = await app.accounts.write_keys.create(FIRST_SOURCE)
        table.add_row(
            "Write key", f"{key}\nof the source {FIRST_SOURCE!r}, shown this once; `waggle keys create` makes more"
        )
    console.print(table, highlight=False)
    console.print("Ctrl-C ends everything.")
