"""The API under test, and what its fakes remember."""

from dataclasses import dataclass, field
from datetime import UTC, datetime

from litestar import Litestar

from waggle.api.app import create_app
from waggle.errors import TemporaryFailure
from waggle.ports.unit_of_work import UnitOfWork
from waggle.services.intake import Intake
from waggle.testing.clock import HandClock

NOW = datetime(2026, 5, 4, 10, tzinfo=UTC)


@dataclass
class Troubles:
    """Raised by the next call of a service, if set."""

    error: Exception | None = None

    def strike(self) -> None:
        if self.error is not None:
            raise self.error


@dataclass
class FakeWriteKeys:
    sources: dict[str, str] = field(default_factory=lambda: {"key-of-shop": "shop", "key-of-tracker": "tracker"})

    async def source_of(self, key: str) -> str | None:
        return self.sources.get(key)


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


class Door:
    """The API over a real store, with fakes for what is not the intake."""

    def __init__(self, store: UnitOfWork) -> None:
        self.store = store
        self.troubles = Troubles()
        self.tracking = FakeTracking(self.troubles)
        self.unsubscribing = FakeUnsubscribing(self.troubles)
        self.readiness = FakeReadiness()
        self.app: Litestar = create_app(
            Intake(store, HandClock(NOW)), FakeWriteKeys(), self.tracking, self.unsubscribing, self.readiness
        )

    async def stored_ids(self) -> list[str]:
        kept = await self.store.run(lambda tx: tx.events.pending(1_000))
        return [each.event.id for each in kept]
