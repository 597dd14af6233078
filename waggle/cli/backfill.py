"""`waggle sources backfill`: what lies between two times is asked for again."""

import asyncio
import signal
from datetime import UTC, datetime

import msgspec
from rich.console import Console

from waggle.app import App
from waggle.cli.acting import By, acting
from waggle.cli.with_app import with_app
from waggle.log import configure
from waggle.services.backfilling import Backfill

_INTERRUPTED = 130


def backfill(  # noqa: PLR0913 -- each is an option of the command line
    name: str, /, *, since: datetime, until: datetime | None = None, json: bool = False, by: By = None, why: str = ""
) -> int:
    """Ask a source for what happened between two times, beside its usual round.

    What is known already changes nothing. Begun again with the same times, it goes on where it was.

    Example: `waggle sources backfill shopify --since 2026-05-01 --until 2026-05-02T08:00 --why "webhooks were off"`

    Parameters
    ----------
    name
        Of the source, which must be one that can be asked: `waggle sources` shows which.
    since
        UTC, unless an offset is given.
    until
        UTC, unless an offset is given; without it, now.
    json
        The outcome as one JSON document for programs.
    by
        Who asks for it; without it, who is logged in.
    why
        For the audit log.
    """

    async def run(waggle: App) -> Backfill:
        configure(waggle.settings.log.form, "error")
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop.set)
        who = await acting(waggle, by, "sources:manage")
        console = Console(stderr=True)
        until_at = _aware(until) if until is not None else waggle.clock.now()
        with console.status(f"Asking {name} ...") as status:

            def tell(so_far: Backfill) -> None:
                newest = f", up to {so_far.newest_at}" if so_far.newest_at else ""
                status.update(f"Asking {name}: {so_far.pages} pages, {so_far.accepted} new events{newest}")

            service = waggle.sources.backfilling
            return await service.run(name, _aware(since), until_at, stop, by=who, why=why, tell=tell)

    done = with_app(run)
    if json:
        print(msgspec.json.encode(done).decode())
    else:
        print(
            f"{done.pages} pages read: {done.accepted} events are new, {done.duplicates} were known, "
            f"{done.refused} were refused, {done.unread} records could not be read."
        )
        if not done.finished:
            print("Stopped on request; the same command goes on from here.")
    return 0 if done.finished else _INTERRUPTED


def _aware(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
