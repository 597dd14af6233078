"""A process that tells those who wait for a product and may be killed wherever it touches the database."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import cast

from waggle.domain.wave import Wave
from waggle.ports.unit_of_work import Transaction, UnitOfWork
from waggle.resources import shipped
from waggle.services import enrolling
from waggle.services.catalogue import load_catalogue
from waggle.services.enrolling import Enrolling
from waggle.services.relay import Relay
from waggle.storage.store import Store, open_store
from waggle.testing.chaos.crash_points import CrashPoints
from waggle.testing.chaos.probes import ProbedStore, reach_of
from waggle.testing.clock import HandClock
from waggle.testing.facts import book
from waggle.testing.journey_engine import RememberingEngine

AT_ONCE = 2


class TakesWaveFirst(Relay):
    """Takes a wave in a transaction of its own, and tells those in line in the next."""

    async def apply_events(self) -> int:
        """Do as a relay does, but for that."""

        def take(tx: Transaction) -> Wave | int:
            wave = tx.waves.oldest()
            if wave is None or wave.wave_id is None:
                return 0
            tx.waves.drop(wave.wave_id)
            return wave

        taken = await self._store.run(take)

        def tell(tx: Transaction) -> int:
            if not isinstance(taken, Wave):
                return 0
            tx.waves.save(replace(taken, wave_id=None))
            return self._tell_on(tx)

        return await self._store.run(tell) + await super().apply_events()


def relay_of(store: UnitOfWork, *, careless: bool) -> Relay:
    """Return a relay of a shop in which one can wait for a product to come back."""
    kind = TakesWaveFirst if careless else Relay
    told = Enrolling(load_catalogue(shipped("bpmn")), book(enabled=("back-in-stock",)))
    return kind(store, RememberingEngine(), told, HandClock())


def apply(folder: Path, *, careless: bool) -> None:
    """Apply what is in the inbox of `waggle.db` in *folder*, a few to a transaction, until nothing is left."""
    asyncio.run(_apply(folder, careless=careless))


async def _apply(folder: Path, *, careless: bool) -> None:
    enrolling._LOOKED_AT_ONCE = AT_ONCE
    store = open_store(f"sqlite:///{folder / 'waggle.db'}")
    probed = cast("Store", ProbedStore(store, reach_of(CrashPoints(folder / "points"), "relay")))
    relay = relay_of(probed, careless=careless)
    try:
        while await relay.apply_events():
            pass
    finally:
        store.close()
