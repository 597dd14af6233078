"""Fixture `house`: journeys on the real broker, with real workers, database and mail server in one process."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from waggle.engine.local import LocalClock, RunningEngine
from waggle.engine.records import RecordStream
from waggle.registry import find_tasks
from waggle.scenarios import house as houses
from waggle.scenarios.house import letterbox, open_house, open_stage
from waggle.services.deployment import deploy_all
from waggle.settings import load_settings


class House(houses.House):
    """What tests of carts ask besides."""

    async def fill(self, cart_id: str, customer_id: str | None = None, *, price_minor: int = 5000) -> None:
        """Let a shopper put two things into a cart."""
        item = {"sku": "honey", "name": "Honey", "quantity": 2, "unit_price_minor": price_minor}
        data: dict[str, Any] = {"cart_id": cart_id, "currency": "EUR", "items": [item]}
        await self.tell("cart-updated", **data, **({"customer_id": customer_id} if customer_id else {}))

    async def enrolment(self, cart_id: str) -> Any:  # noqa: ANN401 -- an Enrolment, or None
        """Return the newest enrolment of a cart."""
        return await self.app.store.read(lambda tx: tx.enrolments.newest("abandoned-cart", cart_id))

    async def outcome(self, cart_id: str) -> tuple[str, str | None]:
        """Return how the cart's journey ended and why, or its state."""
        enrolment = await self.enrolment(cart_id)
        return enrolment.outcome or enrolment.state, enrolment.outcome_reason

    def visited(self) -> set[str]:
        """Return the ids of all elements that completed in any journey so far."""
        with self.records.ledger() as ledger:
            return {element for key in ledger.instances for element in ledger.elements(key)}


@pytest.fixture
async def house(engine: RunningEngine, records: RecordStream, sqlite_url: str, tmp_path: Path) -> AsyncIterator[House]:
    """Open a house on a fresh SQLite database; its journeys end with the test."""
    async with opened(engine, records, sqlite_url, tmp_path) as house:
        yield house


@asynccontextmanager
async def opened(
    engine: RunningEngine, records: RecordStream, database_url: str, folder: Path, **settings: str
) -> AsyncIterator[House]:
    """Run relay, workers and mail server on *engine*; *settings* are as in the environment."""
    async with letterbox(folder, LocalClock(engine.home)) as box, open_stage(engine, records) as stage:
        environment = {
            "WAGGLE_HOME": str(folder),
            "WAGGLE_DATABASE__URL": database_url,
            "WAGGLE_ENGINE__ADDRESS": engine.grpc_address,
            "WAGGLE_SMTP__PORT": str(box.port),
            "WAGGLE_POLICY__QUIET_FROM": "00:00:00",
            "WAGGLE_POLICY__QUIET_UNTIL": "00:00:00",
            **settings,
        }
        in_force = load_settings(environment)
        async with open_house(stage, in_force, box.reception) as opened_house:
            await deploy_all(opened_house.client, in_force.bpmn_dir, in_force.config_dir, find_tasks())
            yield House(**vars(opened_house))
