"""`waggle up` as one meets it at a terminal: real processes on the real engine."""

import asyncio
import json
import os
import re
import signal

import httpx
import psutil
import pytest

from tests.cli.place import WITHIN_S, Command, Place, started, until

pytestmark = [pytest.mark.anyio, pytest.mark.engine, pytest.mark.timeout(900)]

# All parts write to one database: half a second, enough for a command alone, may not be for one among them.
OWN_ENGINE = {"WAGGLE_ENGINE__ADDRESS": "", "WAGGLE_DATABASE__BUSY_TIMEOUT_S": ""}
PARTS = {"mailbox", "api", "relay", "worker"}


async def api_status(place: Place, key: str, event_id: str) -> int:
    """Send an event and return the status of the answer, 0 if there was none."""
    data = {"cart_id": "cart-1", "currency": "EUR", "items": [{"sku": "honey", "quantity": 1, "unit_price_minor": 500}]}
    event = {"specversion": "1.0", "id": event_id, "type": "cart-updated", "data": data}
    async with httpx.AsyncClient(trust_env=False) as client:
        try:
            url = f"http://127.0.0.1:{place.api_port}/v1/events"
            return (await client.post(url, json=event, headers={"Authorization": f"Bearer {key}"})).status_code
        except httpx.TransportError:
            return 0


async def accepted(place: Place, key: str, event_id: str) -> None:
    """Send an event until it is taken, as any shop does."""
    async with asyncio.timeout(WITHIN_S):
        while await api_status(place, key, event_id) not in {200, 202}:  # noqa: ASYNC110 -- the answer tells
            await asyncio.sleep(0.1)


def write_key(up: Command) -> str | None:
    found = re.search(r"wk_\S+", up.said)
    return found[0] if found else None


def events(place: Place) -> set[str]:
    """Return what the parts have logged."""
    # The last line may not be whole yet.
    lines = [line for file in (place.home / "logs").glob("*.log") for line in file.read_text().split("\n")[:-1]]
    return {json.loads(line)["event"] for line in lines if line.startswith("{")}


async def killed_and_back(place: Place, part: str) -> None:
    before = place.parts()[part]
    os.kill(before, signal.SIGKILL)
    await until(lambda: place.parts().get(part, before) != before)


async def test_everything_runs_what_is_killed_is_back_and_ctrl_c_ends_all(place: Place) -> None:
    async with started(place, "up", **OWN_ENGINE) as up:
        await up.says("Ctrl-C ends everything.")
        assert f"http://127.0.0.1:{place.page_port}" in up.said
        assert f"http://127.0.0.1:{place.api_port}" in up.said
        assert "abandoned-cart" in up.said
        key = write_key(up)
        assert key is not None
        await until(lambda: set(place.parts()) == PARTS)
        await accepted(place, key, "before")

        async with started(place, "up", **OWN_ENGINE, WAGGLE_API__PORT=str(place.engine_port)) as second:
            assert await second.ended() == 2
        assert f"UP_ALREADY: `waggle up` runs in {place.home} as process {up.pid}" in second.said

        for part in ("worker", "api"):
            await killed_and_back(place, part)
        [broker] = place.brokers()
        os.kill(broker, signal.SIGKILL)
        await until(lambda: place.brokers() not in ([broker], []))
        await accepted(place, key, "after")
        await up.says("engine is back")
        async with started(place, "deploy", **OWN_ENGINE) as deploy:
            assert await deploy.ended() == 0, deploy.said

        up.ctrl_c()
        assert await up.ended() == 0
        assert place.processes() == {}


async def test_what_a_killed_up_leaves_ends_by_itself_or_serves_the_next(place: Place) -> None:
    async with started(place, "up", **OWN_ENGINE) as up:
        await up.says("Ctrl-C ends everything.")
        key = write_key(up)
        assert key is not None
        await until(lambda: set(place.parts()) == PARTS)
        await accepted(place, key, "before")
        brokers = place.brokers()

        await until(lambda: {"worker started", "relay started", "mailbox open"} <= events(place))
        up.process.kill()
        await until(lambda: place.parts() == {})
        assert place.brokers() == brokers

        async with started(place, "up", **OWN_ENGINE) as following:
            await following.says("Ctrl-C ends everything.")
            assert write_key(following) is None
            assert place.brokers() == brokers
            await accepted(place, key, "after")
            following.process.send_signal(signal.SIGTERM)
            assert await following.ended() == 0
            assert place.processes() == {}


async def test_ctrl_c_while_the_engine_starts_leaves_nothing(place: Place) -> None:
    async with started(place, "up", **OWN_ENGINE) as up:
        await up.says("Starting the broker")
        await until(lambda: len(place.brokers()) == 1)

        up.ctrl_c()

        assert await up.ended() == 130
        assert "Traceback" not in up.said
        assert place.processes() == {}


async def test_ctrl_c_before_anything_was_started_leaves_nothing(place: Place) -> None:
    async with started(place, "up", **OWN_ENGINE) as up:
        await up.says("Preparing the database")
        up.ctrl_c()

        assert await up.ended() == 130
        assert place.processes() == {}


async def test_a_port_that_somebody_has_is_named_before_the_engine_starts(place: Place) -> None:
    stranger = await asyncio.start_server(lambda _reader, _writer: None, "127.0.0.1", place.api_port)
    async with stranger, started(place, "up", **OWN_ENGINE) as up:
        assert await up.ended() == 2

    name = psutil.Process().name()
    assert f"PORT_TAKEN: port {place.api_port} is taken by {name} (process {os.getpid()})" in up.said
    assert "set api.port to another" in up.said
    assert not (place.home / "engine").exists()
