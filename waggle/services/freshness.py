"""Until when facts are known here, and what becomes of a message that would rest on older ones."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from waggle.domain.cart import Cart
from waggle.domain.freshness import FreshnessLimits
from waggle.domain.product import Product
from waggle.domain.telling import standing
from waggle.errors import WaggleError
from waggle.log import get_logger
from waggle.ports.clock import Clock
from waggle.ports.pulling import Coverage
from waggle.ports.unit_of_work import Transaction, UnitOfWork
from waggle.services.pulling import FeedPlan, Overtaken, Puller

log = get_logger(__name__)

_ASK_WITHIN_S = 5.0
_MOST_PAGES = 20
"""Of one source, while a message waits; more than that is the exchange's work."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """A source that calls us by itself."""

    source: str
    covers: tuple[str, ...]
    expect_within: timedelta | None = None
    """A silence of so long means that nothing happened; None: nothing is known after its last call."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Freshness:
    """The shop's limits, and who tells of what."""

    limits: FreshnessLimits = field(default_factory=lambda: FreshnessLimits({}))
    callers: Sequence[Caller] = ()
    look_again_after: timedelta = timedelta(minutes=5)

    def known_until(self, tx: Transaction, now: datetime) -> list[Coverage]:
        """Return for each source and kind of fact until when everything that happened is known here."""
        found = {(each.source, each.kind): each.covered_until for each in tx.pulling.coverage()}
        for caller in self.callers:
            heard_at = tx.deliveries.last_heard_at(caller.source)
            if heard_at is None:
                continue
            quiet = caller.expect_within is not None and now - heard_at <= caller.expect_within
            until = now if quiet else heard_at
            for kind in caller.covers:
                key = (caller.source, kind)
                found[key] = max(found.get(key, until), until)
        return [
            Coverage(source=source, kind=kind, covered_until=until) for (source, kind), until in sorted(found.items())
        ]

    def stale(self, tx: Transaction, cart: Cart | None, now: datetime) -> tuple[str, ...]:
        """Return the kinds of fact, of those that a message about *cart* rests on, that are too old to send on."""
        if not self.limits.limits:
            return ()
        known: dict[str, datetime | None] = {"order": None}
        for each in self.known_until(tx, now):
            known[each.kind] = max(known.get(each.kind) or each.covered_until, each.covered_until)
        resting: dict[str, datetime | None] = {"order": known["order"]}
        if cart is not None:
            resting["cart"] = _later(known.get("cart"), cart.last_activity_at)
            products = [tx.products.get(item.sku) for item in cart.items]
            # One by one: a source may have told of this product alone.
            stock = [_later(known.get("stock"), _told_at(product, "stock")) for product in products]
            price = [_later(known.get("price"), _told_at(product, "price")) for product in products]
            if products:
                resting |= {"stock": _earliest(stock), "price": _earliest(price)}
        return self.limits.stale(resting, now)

    def watched(self, cart: Cart | None) -> list[str]:
        """Return what else accepted events may be about that change what is known of *cart*."""
        return [item.sku for item in cart.items] if cart is not None and self.limits.limits else []


class Refresher:
    """Asks sources on the spot, for a message that would otherwise wait."""

    def __init__(self, puller: Puller, plans: Sequence[FeedPlan], store: UnitOfWork, clock: Clock) -> None:
        self._puller = puller
        self._plans = plans
        self._store = store
        self._clock = clock
        self._asking: asyncio.Lock | None = None

    async def refresh(self, limits: Mapping[str, timedelta]) -> bool:
        """Ask every source whose facts of a kind in *limits* are older, for five seconds at most; say whether one was.

        Messages that wait at the same time share the answer. A source that does not answer in time is left to the
        exchange.
        """
        if not self._plans:
            return False
        if self._asking is None:
            self._asking = asyncio.Lock()
        async with self._asking:
            stale = [plan for plan in self._plans if await self._is_stale(plan, limits)]
            try:
                async with asyncio.timeout(_ASK_WITHIN_S):
                    await asyncio.gather(*(self._ask(plan) for plan in stale))
            except TimeoutError:
                log.warning("sources too slow to wait for", sources=[plan.source for plan in stale])
        return bool(stale)

    async def _is_stale(self, plan: FeedPlan, limits: Mapping[str, timedelta]) -> bool:
        def look(tx: Transaction) -> bool:
            now = self._clock.now()
            cursor = tx.pulling.cursor(plan.source)
            if cursor is not None and cursor.not_before_at is not None and now < cursor.not_before_at:
                return False
            covered = {each.kind: each.covered_until for each in tx.pulling.coverage() if each.source == plan.source}
            kinds = (set(covered) | set(plan.covers)) & set(limits)
            return any(kind not in covered or now - covered[kind] > limits[kind] for kind in kinds)

        return await self._store.read(look)

    async def _ask(self, plan: FeedPlan) -> None:
        for _ in range(_MOST_PAGES):
            try:
                if not (await self._puller.page(plan)).more:
                    return
            except Overtaken:
                continue
            except WaggleError as failure:
                log.warning("source not read", source=plan.source, code=failure.code)
                return


def _told_at(product: Product | None, field: str) -> datetime | None:
    told = standing(product.told, field) if product is not None else None
    return told.at if told is not None else None


def _later(one: datetime | None, other: datetime | None) -> datetime | None:
    known = [each for each in (one, other) if each is not None]
    return max(known, default=None)


def _earliest(times: Sequence[datetime | None]) -> datetime | None:
    known = [each for each in times if each is not None]
    return min(known) if known and len(known) == len(times) else None
