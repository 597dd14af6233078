"""`waggle api`, `relay`, `worker` and `mailbox`: the parts as own processes."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

from waggle.app import App
from waggle.log import configure
from waggle.processes import run_api, run_mail, run_relay, run_until_stopped, run_worker
from waggle.settings import load_settings


def api() -> None:
    """Serve HTTP: events in, click and unsubscribe links.

    Example: `WAGGLE_API__PORT=8601 waggle api`
    """
    _run(run_api)


def relay() -> None:
    """Take accepted events to the projections and the engine.

    Example: `waggle relay`
    """
    _run(run_relay)


def worker(*task_types: str) -> None:
    """Work on the jobs of the journeys.

    Example: `waggle worker send-message issue-coupon`

    Parameters
    ----------
    task_types
        Only these; without any, all that are known (`waggle tasks`).
    """
    _run(partial(_worker, task_types))


def mailbox() -> None:
    """Run the mail server for development: it delivers nothing and shows what arrived.

    Example: `waggle mailbox`
    """
    _run(run_mail)


async def _worker(task_types: tuple[str, ...], app: App, stop: asyncio.Event) -> None:
    await run_worker(app, task_types, stop)


def _run(part: Callable[[App, asyncio.Event], Awaitable[None]]) -> None:
    settings = load_settings()
    configure(settings.log.form, settings.log.level)
    app = App(settings)
    try:
        run_until_stopped(partial(part, app))
    finally:
        app.close()
