"""`waggle api`, `relay`, `worker` and `mailbox`: the parts as own processes."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

from waggle.app import App
from waggle.log import configure
from waggle.processes import let_threads_take_turns, run_api, run_mail, run_relay, run_until_stopped, run_worker
from waggle.settings import Settings, limited, load_settings


def api() -> None:
    """Serve HTTP: events in, click and unsubscribe links.

    Example: `WAGGLE_API__PORT=8601 waggle api`
    """
    let_threads_take_turns()
    run_part(run_api)


def relay() -> None:
    """Take accepted events to the projections and the engine.

    Example: `waggle relay`
    """
    run_part(run_relay)


def worker(
    *task_types: str,
    concurrency: int | None = None,
    rate_per_s: float | None = None,
    timeout_s: float | None = None,
    retries: int | None = None,
) -> None:
    """Work on the jobs of the journeys.

    The limits outweigh what is set elsewhere, in this process and for the task types named; `waggle tasks` shows those.

    Example: `waggle worker send-message --concurrency 4 --rate-per-s 10`

    Parameters
    ----------
    task_types
        Only these; without any, all that are known (`waggle tasks`).
    concurrency
        Jobs of each type worked on at once.
    rate_per_s
        Jobs of each type begun per second.
    timeout_s
        How long one job may take, in seconds.
    retries
        Tries after an unexpected error, before a person has to look.
    """
    given = {"concurrency": concurrency, "rate_per_s": rate_per_s, "timeout_s": timeout_s, "retries": retries}
    limits = {key: value for key, value in given.items() if value is not None}
    run_part(partial(_worker, task_types), limited(load_settings(), task_types, limits))


def mailbox() -> None:
    """Run the mail server for development: it delivers nothing and shows what arrived.

    Example: `waggle mailbox`
    """
    run_part(run_mail)


async def _worker(task_types: tuple[str, ...], app: App, stop: asyncio.Event) -> None:
    await run_worker(app, task_types, stop)


def run_part(part: Callable[[App, asyncio.Event], Awaitable[None]], settings: Settings | None = None) -> None:
    """Run one part with the settings in force until it is asked to stop."""
    settings = load_settings() if settings is None else settings
    configure(settings.log.form, settings.log.level)
    app = App(settings)
    try:
        run_until_stopped(partial(part, app))
    finally:
        app.close()
