"""A database, a key, and servers on it."""

import asyncio
import os
import secrets
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from benchmarks.child import Child, child, python
from benchmarks.databases import Database
from benchmarks.intake.given import SOURCE, events
from waggle.app import App
from waggle.services.enrolling import Enrolling
from waggle.services.relay import Relay
from waggle.settings import Settings, load_settings
from waggle.storage.keyring import new_key_file
from waggle.testing.journey_engine import RememberingEngine

_READY_LIMIT_S = 180.0
_MASTER_KEY_FILE = "master.toml"


@dataclass(frozen=True, slots=True)
class House:
    """What a server needs to know."""

    home: Path
    database: Database
    key: str

    def environment(self, port: int) -> dict[str, str]:
        """Return the settings of a server on *port*, without limits per key."""
        return _environment(self.home, self.database) | {"WAGGLE_API__PORT": str(port)}

    @asynccontextmanager
    async def server(self, *flags: str) -> AsyncIterator[tuple[int, Child]]:
        """Give the port of a server that answers, and its process; *flags* as `benchmarks.intake.server` takes them."""
        port = _free_port()
        command = python("benchmarks.intake.server", *flags)
        async with child(command, self.home / "server.log", self.environment(port)) as running:
            await _ready(port, running)
            yield port, running


async def build(home: Path, database: Database) -> House:
    """Bring the tables up to date and make a key that may send and ask."""
    new_key_file(home / _MASTER_KEY_FILE)
    app = App(_settings(home, database))
    try:
        made = await app.accounts.keys.create(SOURCE, scopes=("events:write", "customers:read"), by="benchmark")
        return House(home, database, made.token)
    finally:
        await asyncio.to_thread(app.close)


async def settle_customers(house: House, count: int) -> list[str]:
    """Put *count* customers with their carts into the projections and return their ids."""
    app = App(_settings(house.home, house.database))
    try:
        source = events(f"settled-{secrets.token_hex(4)}")
        items = [next(source) for _ in range(count * 10)]
        for start in range(0, len(items), 500):
            await app.intake.accept(SOURCE, items[start : start + 500])
        relay = Relay(app.store, RememberingEngine(), Enrolling(app.catalogue, app.journeys), app.clock)
        while await relay.apply_events():
            pass
        return sorted({str(item["data"]["customer_id"]) for item in items if item["type"] == "customer-identified"})
    finally:
        await asyncio.to_thread(app.close)


def _settings(home: Path, database: Database) -> Settings:
    return load_settings(_environment(home, database))


def _environment(home: Path, database: Database) -> dict[str, str]:
    return {
        "WAGGLE_HOME": str(home),
        "WAGGLE_DATABASE__URL": database.url,
        "WAGGLE_PRIVACY__MASTER_KEY_FILE": str(home / _MASTER_KEY_FILE),
        "WAGGLE_API__REQUESTS_PER_S": "0",
        "WAGGLE_API__EVENTS_PER_S": "0",
        "PATH": os.environ.get("PATH", ""),
    }


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


async def _ready(port: int, running: Child) -> None:
    async with asyncio.timeout(_READY_LIMIT_S), httpx.AsyncClient() as client:
        while running.is_alive:
            try:
                if (await client.get(f"http://127.0.0.1:{port}/readyz")).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            await asyncio.sleep(0.1)
    raise RuntimeError("the server ended before it answered; see its log")
