"""The API under test, and what its fakes remember."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TypeVar

from litestar import Litestar

from waggle.api.app import create_app
from waggle.api.limits import Limits
from waggle.api.origins import Origins
from waggle.errors import TemporaryFailure
from waggle.ports.unit_of_work import Transaction, UnitOfWork
from waggle.services.intake import Intake
from waggle.services.reading import Reading
from waggle.testing.access import GivenTokens
from waggle.testing.clock import HandClock

T = TypeVar("T")

NOW = datetime(2026, 5, 4, 10, tzinfo=UTC)


@dataclass
class Troubles:
    """Raised by the next call of a service, if set."""

    error: Exception | None = None

    def strike(self) -> None:
        if self.error is not None:
            raise self.error


@dataclass
class FakeTracking:
    troubles: Troubles
    targets: dict[str, str] = field(default_factory=lambda: {"tok-1": "https://shop.example/cart/1?from=mail#top"})
    clicked: list[str] = field(default_factory=list)

    async def click(self, token: str) -> str | None:
        self.troubles.strike()
        assert "%" not in token
        if token in self.targets:
            self.clicked.append(token)
        return self.targets.get(token)


@dataclass(frozen=True)
class FakeUnsubscription:
    shop_name: str


@dataclass
class FakeUnsubscribing:
    troubles: Troubles
    shops: dict[str, str] = field(default_factory=lambda: {"tok-1": "Hive & Honey <i>"})
    unsubscribed: list[str] = field(default_factory=list)

    async def describe(self, token: str) -> FakeUnsubscription | None:
        self.troubles.strike()
        return FakeUnsubscription(self.shops[token]) if token in self.shops else None

    async def unsubscribe(self, token: str) -> bool:
        self.troubles.strike()
        if token in self.shops:
            self.unsubscribed.append(token)
        return token in self.shops


@dataclass
class FakeReadiness:
    error: TemporaryFailure | None = None

    async def check(self) -> None:
        if self.error is not None:
            raise self.error


class Looking:
    """Fulfils QuickReads with any store."""

    def __init__(self, store: UnitOfWork) -> None:
        self._store = store

    async def look(self, work: Callable[[Transaction], T]) -> T:
        return await self._store.read(work)


class Door:
    """The API over a real store, with fakes for what is not the intake."""

    def __init__(self, store: UnitOfWork, *, limits: Limits | None = None, origins: Iterable[str] = ()) -> None:
        self.store = store
        self.troubles = Troubles()
        self.tracking = FakeTracking(self.troubles)
        self.unsubscribing = FakeUnsubscribing(self.troubles)
        self.readiness = FakeReadiness()
        self.tokens = GivenTokens()
        self.app: Litestar = create_app(
            Intake(store, HandClock(NOW)),
            self.tokens,
            self.tracking,
            self.unsubscribing,
            self.readiness,
            limits=limits,
            reading=Reading(Looking(store), HandClock(NOW)),
            origins=Origins(origins),
        )

    async def stored_ids(self) -> list[str]:
        kept = await self.store.run(lambda tx: tx.events.pending(1_000))
        return [each.event.id for each in kept]
