"""Whatever process is killed in the middle of journeys, nobody gets a mail twice and nobody gets none."""

import asyncio
import os
import signal
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from waggle.app import App
from waggle.domain.enrolment import is_held_out
from waggle.engine.local import EngineOptions
from waggle.engine.local.progress import Silent
from waggle.engine.records import RecordStream
from waggle.installation import Installation, installed
from waggle.mailbox.arrivals import read_arrivals
from waggle.settings import load_settings
from waggle.simulation import Simulation
from waggle.testing.ports import own_ports

pytestmark = [pytest.mark.anyio, pytest.mark.engine, pytest.mark.guarantee, pytest.mark.timeout(300)]

CARTS = [number for number in range(14) if not is_held_out("abandoned-cart", f"customer-{number}", 10)]


@dataclass
class Shop:
    """Sends events over HTTP and, like any shop, again until they are accepted."""

    installation: Installation
    simulation: Simulation
    key: str
    client: httpx.AsyncClient

    async def send(self, event_id: str, event_type: str, **data: object) -> None:
        event = {"specversion": "1.0", "id": event_id, "type": event_type, "data": data}
        event["time"] = self.simulation.now().isoformat()
        async with asyncio.timeout(60):
            while not await self._accepted(event):  # noqa: ASYNC110 -- the answer tells
                await asyncio.sleep(0.1)

    async def fill(self, number: int) -> None:
        customer_id, cart_id = f"customer-{number}", f"cart-{number}"
        await self.send(f"id-{number}", "customer-identified", customer_id=customer_id, email=f"c{number}@example.com")
        await self.send(f"yes-{number}", "consent-given", customer_id=customer_id)
        item = {"sku": "honey", "quantity": 1, "unit_price_minor": 9000}
        await self.send(
            f"cart-{number}", "cart-updated", cart_id=cart_id, customer_id=customer_id, currency="EUR", items=[item]
        )

    async def kill(self, part: str) -> None:
        engine = self.installation.engine
        assert engine is not None
        async with asyncio.timeout(60):
            while part != "broker" and part not in self.installation.supervisor.pids:  # noqa: ASYNC110 -- as a person would
                await asyncio.sleep(0.05)
        os.kill(engine.pid if part == "broker" else self.installation.supervisor.pids[part], signal.SIGKILL)

    def mails(self) -> Counter[str]:
        return Counter(arrival.to for arrival in read_arrivals(self.installation.app.settings.home / "mailbox"))

    async def until(self, moment: timedelta) -> None:
        end = self.simulation.now() + moment
        while self.simulation.now() < end:
            await self.simulation.idle()
            await self.simulation.advance(60)
        await self.simulation.idle()

    async def _accepted(self, event: dict[str, Any]) -> bool:
        try:
            answer = await self.client.post("/v1/events", json=event, headers={"Authorization": f"Bearer {self.key}"})
        except httpx.TransportError:
            return False
        assert answer.status_code < 400 or answer.status_code >= 500, answer.text
        return answer.status_code < 400


@asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[Shop]:
    environment = {
        **own_ports(),
        "WAGGLE_HOME": str(folder),
        "WAGGLE_POLICY__QUIET_FROM": "00:00:00",
        "WAGGLE_POLICY__QUIET_UNTIL": "00:00:00",
    }
    app = App(load_settings(environment))
    with RecordStream() as records:
        options = EngineOptions(
            app.settings.engine_home, with_operate=False, controlled_clock=True, records_url=records.url
        )
        async with (
            installed(app, options, Silent(), environment) as installation,
            httpx.AsyncClient(base_url=app.settings.api.public_url, trust_env=False) as client,
        ):
            simulation = Simulation(app.store, records, app.settings.engine_home, app.clock)
            yield Shop(installation, simulation, await app.accounts.write_keys.create("shop"), client)
    app.close()


async def test_no_kill_of_any_part_makes_a_mail_twice_or_none(tmp_path: Path) -> None:
    parts = ["relay", "worker", "api", "broker", "worker", "relay"]
    async with opened(tmp_path) as shop:
        for number in CARTS:
            await shop.fill(number)
            if parts and number % 2:
                await shop.kill(parts.pop())
        await shop.until(timedelta(minutes=19))
        sending = asyncio.create_task(shop.until(timedelta(minutes=6)))
        for part in ("worker", "broker", "worker"):
            await asyncio.sleep(1.0)
            await shop.kill(part)
        await sending

        mails = shop.mails()
        messages = shop.installation.app.database.tables(["messages"])["messages"]
        in_doubt = [row for row in messages if row["state"] == "in_doubt"]

    assert set(mails.values()) == {1}
    # A mail whose answer was lost to a kill counts as in doubt: it may have arrived, and is never sent again.
    assert len(CARTS) - len(in_doubt) <= len(mails) <= len(CARTS)
    assert len(in_doubt) <= 3
