"""Calls of a shop survive whatever dies and whatever the network does: each that was answered acts, and acts once."""

import asyncio
import json
import os
import random
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from tests.cli.place import Place
from tests.connectors.vendors import shopify
from waggle.storage.keyring import FileKeyring
from waggle.storage.store import Store, open_store
from waggle.testing.chaos.fault_proxy import LOOPBACK, FaultProxy
from waggle.testing.chaos.keeper import Child, Keeper
from waggle.testing.chaos.postgres import PostgresServer
from waggle.testing.ports import ports_for_good

pytestmark = [pytest.mark.anyio, pytest.mark.guarantee, pytest.mark.timeout(3_600)]

CALLS = int(os.environ.get("SIGNED_CALLS", "1000"))
"""20,000 for the whole proof."""
SENDERS = 16
STRIKES = 20
"""Spread over the calls, not over the time: a part that is just starting must get somewhere before it is struck."""
REPEATED = 0.1
"""The share of calls that come again although they were answered, as a captured one under a new id."""
SOURCE = "shop-main"
SECRET = "right"


@dataclass
class House:
    """The parts under test, and what is done to them."""

    keeper: Keeper
    proxy: FaultProxy
    database: PostgresServer | None
    store: Store
    strikes: list[str] = field(default_factory=list)
    answered: int = 0

    async def strike(self, draw: random.Random) -> None:
        """Kill a part, or break a connection in one of its ways."""
        what = draw.choice(["api", "api", "relay", "reset", "reply", "cut", *(["database"] if self.database else [])])
        self.strikes.append(what)
        match what:
            case "reset":
                self.proxy.reset()
            case "reply":
                self.proxy.drop_reply(times=8)
            case "cut":
                self.proxy.cut_after(draw.randrange(200, 2_000), "up")
                await asyncio.sleep(0.3)
                await self.proxy.heal()
            case "database":
                assert self.database is not None
                await self.database.kill()
            case _:
                await self.keeper.kill(what)


@pytest.fixture(params=["sqlite", "postgresql"])
async def house(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[House]:
    place = Place(tmp_path / "home", *ports_for_good(4))
    key = tmp_path / "master.toml"
    environment = place.environment | {
        "WAGGLE_SOURCE__SHOP_MAIN__CONNECTOR": "shopify",
        "WAGGLE_SOURCE__SHOP_MAIN__DOMAIN": "hive-and-honey.myshopify.com",
        "WAGGLE_SOURCE__SHOP_MAIN__CURRENCY": "EUR",
        "WAGGLE_SOURCE__SHOP_MAIN__SECRET": SECRET,
        "WAGGLE_PRIVACY__MASTER_KEY_FILE": str(key),
        "WAGGLE_DATABASE__BUSY_TIMEOUT_S": "10",
    }
    keyring = FileKeyring(key, may_make=True)
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(PostgresServer(tmp_path)) if request.param == "postgresql" else None
        url = database.url() if database else f"sqlite:///{place.home / 'waggle.db'}"
        environment["WAGGLE_DATABASE__URL"] = url
        store = open_store(url, keyring=keyring, busy_timeout_s=10)
        # Makes the key before a part looks for it.
        await store.run(lambda tx: tx.deliveries.add(SOURCE, "first", "first", "first", datetime.now(UTC)))
        proxy = await stack.enter_async_context(FaultProxy(LOOPBACK, place.api_port))
        children = [Child(name, [sys.executable, "-m", "waggle", name], environment) for name in ("api", "relay")]
        keeper = await stack.enter_async_context(Keeper(children, tmp_path))
        yield House(keeper, proxy, database, store)
        store.close()
    place.clear()


def cart(number: int, at: datetime) -> bytes:
    said = {
        "token": f"cart-{number}",
        "updated_at": at.isoformat(),
        "line_items": [{"sku": "HONEY-500", "quantity": 1, "price": "12.50", "variant_id": 1}],
    }
    return json.dumps(said).encode()


async def send_until_taken(client: httpx.AsyncClient, body: bytes, delivery_id: str) -> None:
    """Call as a shop does, again and again, until the answer says that it was taken."""
    signer = shopify(SECRET)
    while True:
        headers = dict(signer.sign("carts/update", body, delivery_id, datetime.now(UTC)))
        try:
            answer = await client.post(f"/v1/webhooks/{SOURCE}", content=body, headers=headers)
        except httpx.HTTPError:
            await asyncio.sleep(0.1)
            continue
        if answer.status_code == 200:
            return
        assert answer.status_code == 503, answer.text
        await asyncio.sleep(0.2)


async def send_all(house: House, bodies: Sequence[bytes], draw: random.Random) -> None:
    waiting = list(enumerate(bodies))
    again = {number for number, _ in waiting if draw.random() < REPEATED}

    async def sender() -> None:
        async with httpx.AsyncClient(base_url=f"http://{LOOPBACK}:{house.proxy.port}", timeout=20) as client:
            while waiting:
                number, body = waiting.pop()
                await send_until_taken(client, body, f"e-{number}")
                house.answered += 1
                if number in again:
                    await send_until_taken(client, body, f"e-{number}")
                    await send_until_taken(client, body, f"captured-{number}")

    await asyncio.gather(*(sender() for _ in range(SENDERS)))


async def test_every_answered_call_acts_once(house: House) -> None:
    draw, at = random.Random(7), datetime.now(UTC)  # noqa: S311 -- the strikes are to be the same each time
    sending = asyncio.create_task(send_all(house, [cart(number, at) for number in range(CALLS)], draw))
    while not sending.done():
        if house.answered > len(house.strikes) * CALLS // STRIKES:
            await house.strike(draw)
        await asyncio.wait({sending}, timeout=0.1)
    await sending
    await house.proxy.heal()
    async with asyncio.timeout(600):
        while await house.store.read(lambda tx: tx.events.count_pending()):  # noqa: ASYNC110 -- another process does it
            await asyncio.sleep(0.5)

    found = await house.store.read(lambda tx: [tx.carts.get(f"cart-{number}") for number in range(CALLS)])
    assert [number for number, each in enumerate(found) if each is None or not each.items] == []
    assert await house.store.read(lambda tx: len(tx.events.quarantined())) == 0
    assert await house.store.read(lambda tx: tx.quarantine.waiting(10)) == []
    assert await _events(house.store) == CALLS
    assert house.keeper.falls == []
    assert len(house.strikes) >= STRIKES // 2


async def _events(store: Store) -> int:
    def count(tx: object) -> int:
        connection = tx.deliveries._connection  # type: ignore[attr-defined]
        return int(connection.exec_driver_sql("SELECT count(*) FROM events WHERE source = 'shop-main'").scalar_one())

    return await store.read(count)
