"""A process that sends a campaign and may be killed wherever it touches the database or the mail server."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import cast

from waggle.ports.email import Email
from waggle.storage.store import Store, open_store
from waggle.testing.campaigns import stage
from waggle.testing.chaos.crash_points import CrashPoints
from waggle.testing.chaos.probes import ProbedSender, ProbedStore, reach_of
from waggle.testing.clock import HandClock


class FileSender:
    """Implements waggle.ports.email.EmailSender: a mail server whose box is a file that outlives whoever sends."""

    name = "file"
    repeat_safe_for = timedelta(0)

    def __init__(self, box: Path) -> None:
        self._box = box

    async def send(self, email: Email, *, before_data: Callable[[], Awaitable[None]]) -> str:
        """Take *email*."""
        await before_data()
        handle = os.open(self._box, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            os.write(handle, f"{email.to}\n".encode())
        finally:
            os.close(handle)
        return "250 taken"


def send(folder: Path, now: datetime, enrolment_id: str) -> None:
    """Send whatever can be sent at *now*, in *folder* with its database `waggle.db`, box and crash points."""
    asyncio.run(_send(folder, now, enrolment_id))


async def _send(folder: Path, now: datetime, enrolment_id: str) -> None:
    reach = reach_of(CrashPoints(folder / "points"), "worker")
    store = open_store(f"sqlite:///{folder / 'waggle.db'}")
    probed = cast("Store", ProbedStore(store, reach))
    played = stage(probed, HandClock(now), ProbedSender(FileSender(folder / "box"), reach))
    try:
        await played.send_all(enrolment_id)
    finally:
        store.close()
