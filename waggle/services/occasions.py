"""Tell, from what is known, what nobody else tells: a birthday is near, somebody has not bought for long.

Each occasion is an event of our own like all others; its id follows from the customer and what it is about, so that it
is told once however often it is looked for. It is looked for once a day, and only if a journey begins with it.
"""

import asyncio
import hashlib
import tomllib
import uuid
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import partial
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any, Final

import msgspec

from waggle.domain.consent import PROFILING
from waggle.domain.event import Event
from waggle.domain.order import Order
from waggle.errors import BadSettings, TemporaryFailure
from waggle.log import get_logger
from waggle.ports.clock import Clock
from waggle.ports.unit_of_work import Arrival, Transaction, UnitOfWork
from waggle.services.catalogue import Catalogue
from waggle.services.consents import objects, restricted
from waggle.services.held_erasures import EVERY_CHANNEL
from waggle.services.journeys import JourneyBook
from waggle.services.keys import OWN_SOURCE

_log = get_logger(__name__)

LAPSED: Final = "customer-lapsed"
UNENGAGED: Final = "customer-unengaged"
BIRTHDAY: Final = "birthday-approaching"
REPLENISHMENT: Final = "replenishment-expected"

_PERSONS_PER_TRANSACTION: Final = 200
_PAUSE_S: Final = 0.02
"""Between two transactions, so that the events and engine messages of the hour come first."""
_LOOK_EVERY_S: Final = 3600.0
_STALE_AFTER: Final = timedelta(hours=2)
"""A run that began so long ago and did not end is taken for one that was killed."""
_TOO_LATE_AFTER: Final = timedelta(days=14)
"""Who has not bought again so long after the day it was expected has bought elsewhere, or needs no more."""
_LEAST_PURCHASES: Final = 3
"""Of one product, before a customer's own rhythm says when they need the next."""
_LEAST_RHYTHM: Final = timedelta(days=7)

_SPACE: Final = uuid.UUID("6f0d3c0e-1d8b-5a52-9a53-6a1b0d6c9f1e")


@dataclass(frozen=True, slots=True, kw_only=True)
class OccasionRules:
    """When it is time."""

    lapsed_after: timedelta
    lapsed_until: timedelta
    """Who bought last before that is not told of any more."""
    unengaged_messages: int
    unengaged_within: timedelta
    birthday_ahead: timedelta
    replenish_ahead: timedelta
    lasts: Mapping[str, timedelta] = field(default_factory=dict)
    """How long one piece of a product lasts, by sku."""


@dataclass(frozen=True, slots=True)
class _Occasion:
    event_type: str
    customer_id: str
    about: str
    """With the customer, what it is told of once."""
    data: Mapping[str, Any]


_Page = Callable[[Transaction, str], tuple[list[_Occasion], str | None]]
"""What is found among the next persons after an id, and the last of their ids; None: there are no more."""


class Occasions:
    """Looks through what is known of customers, orders and messages."""

    def __init__(
        self, store: UnitOfWork, catalogue: Catalogue, journeys: JourneyBook, rules: OccasionRules, clock: Clock
    ) -> None:
        self._store = store
        self._catalogue = catalogue
        self._journeys = journeys
        self._rules = rules
        self._clock = clock

    async def watch(self, stop: asyncio.Event) -> None:
        """Look every hour whether today's occasions were told; of several processes one tells them."""
        while not stop.is_set():
            try:
                await self._daily()
            except TemporaryFailure as failure:
                _log.warning("occasions wait", code=failure.code)
            try:
                await asyncio.wait_for(stop.wait(), _LOOK_EVERY_S)
            except TimeoutError:
                continue

    async def run(self) -> int:
        """Tell every occasion of now that was not told yet, and return how many those were.

        Raises:
            TemporaryFailure: the database is away; what was told stays told, and the next run goes on.
        """
        told = 0
        if self._awaited(LAPSED) or self._awaited(REPLENISHMENT):
            told += await self._through(self._of_buyers)
        if self._awaited(UNENGAGED):
            told += await self._through(self._of_readers)
        if self._awaited(BIRTHDAY):
            told += await self._through(self._of_customers)
        return told

    async def _daily(self) -> None:
        day = self._clock.now().date().isoformat()

        def begin(tx: Transaction) -> bool:
            now = self._clock.now()
            return tx.occasion_runs.begin(day, now, now - _STALE_AFTER)

        def finish(tx: Transaction) -> None:
            tx.occasion_runs.finish(day, self._clock.now())

        if not await self._store.run(begin):
            return
        told = await self.run()
        await self._store.run(finish)
        _log.info("occasions told", count=told)

    def _awaited(self, event_type: str) -> bool:
        return any(self._journeys.enabled(journey) for journey in self._catalogue.starting_on(event_type))

    async def _through(self, page: _Page) -> int:
        told, after = 0, ""
        while True:
            found, last = await self._store.read(partial(self._new, page, after))
            if found:
                told += await self._store.run(partial(self._tell, found))
            if last is None:
                return told
            after = last
            await asyncio.sleep(_PAUSE_S)

    def _new(self, page: _Page, after: str, tx: Transaction) -> tuple[list[_Occasion], str | None]:
        """Leave out what was told already: who looks every day must not take the one lock for writing for nothing."""
        found, last = page(tx, after)
        known = tx.events.known(OWN_SOURCE, [_event_id(each) for each in found])
        return [each for each in found if _event_id(each) not in known], last

    def _tell(self, found: Sequence[_Occasion], tx: Transaction) -> int:
        now = self._clock.now()
        admitted = tx.events.add_all([_arrival(each, now) for each in found])
        return admitted.count("accepted")

    def _of_buyers(self, tx: Transaction, after: str) -> tuple[list[_Occasion], str | None]:
        now = self._clock.now()
        ids = tx.orders.buyers_after(after, now - self._rules.lapsed_until, _PERSONS_PER_TRANSACTION)
        found: list[_Occasion] = []
        persons = _who_may_be_looked_at(tx, _persons(tx, ids))
        for person, all_orders in tx.orders.of_customers(persons).items():
            orders = [order for order in all_orders if order.counts]
            found += self._lapsed(person, orders, now) if self._awaited(LAPSED) else []
            found += self._run_out(person, orders, now) if self._awaited(REPLENISHMENT) else []
        return found, _last(ids)

    def _lapsed(self, person: str, orders: Sequence[Order], now: datetime) -> Iterator[_Occasion]:
        if not orders:
            return
        since = now - orders[-1].placed_at
        if self._rules.lapsed_after <= since < self._rules.lapsed_until:
            about = orders[-1].placed_at.date().isoformat()
            yield _Occasion(LAPSED, person, about, {"customer_id": person, "days_since_order": since.days})

    def _run_out(self, person: str, orders: Sequence[Order], now: datetime) -> Iterator[_Occasion]:
        bought: dict[str, list[tuple[Order, int]]] = defaultdict(list)
        for order in orders:
            pieces: Counter[str] = Counter()
            for item in order.items:
                pieces[item.sku] += item.quantity
            for sku, quantity in pieces.items():
                bought[sku].append((order, quantity))
        for sku, purchases in sorted(bought.items()):
            lasts = self._lasts(sku, purchases)
            newest = purchases[-1][0]
            expected = newest.placed_at + lasts if lasts is not None else None
            if expected is not None and expected - self._rules.replenish_ahead <= now < expected + _TOO_LATE_AFTER:
                data = {"customer_id": person, "sku": sku, "order_id": newest.order_id}
                yield _Occasion(REPLENISHMENT, person, f"{sku}:{newest.order_id}", data)

    def _lasts(self, sku: str, purchases: Sequence[tuple[Order, int]]) -> timedelta | None:
        """Return how long what was bought last will do: by the customer's own rhythm, else by what the shop says."""
        if len(purchases) >= _LEAST_PURCHASES:
            times = [order.placed_at for order, _ in purchases]
            rhythm = timedelta(seconds=median((later - earlier).total_seconds() for earlier, later in pairwise(times)))
            if rhythm >= _LEAST_RHYTHM:
                return rhythm
        one = self._rules.lasts.get(sku)
        return one * purchases[-1][1] if one is not None else None

    def _of_readers(self, tx: Transaction, after: str) -> tuple[list[_Occasion], str | None]:
        now = self._clock.now()
        since = now - self._rules.unengaged_within
        ids = tx.messages.readers_after(after, _PERSONS_PER_TRANSACTION)
        found = []
        unengaged = _persons(tx, tx.messages.unengaged_among(ids, since, self._rules.unengaged_messages))
        persons = _who_may_be_looked_at(tx, unengaged)
        tx.suppressions.prepare(persons, (), "email")
        for person, orders in tx.orders.of_customers(persons).items():
            bought = any(order.placed_at > since for order in orders)
            if bought or tx.suppressions.reason(person, "email") is not None:
                continue
            _, clicked = tx.messages.count_sent_and_clicked(person, "marketing", since)
            if not clicked:
                found.append(_Occasion(UNENGAGED, person, str(now.year), {"customer_id": person}))
        return found, _last(ids)

    def _of_customers(self, tx: Transaction, after: str) -> tuple[list[_Occasion], str | None]:
        today = self._clock.now().date()
        ids = tx.customers.ids_after(after, _PERSONS_PER_TRANSACTION)
        tx.customers.prepare(ids)
        found = []
        for person in _persons(tx, ids):
            customer = tx.customers.get(person)
            if customer is None or customer.erased or customer.birth_date is None:
                continue
            birthday = _next_birthday(customer.birth_date, today)
            if birthday - today <= self._rules.birthday_ahead and not restricted(tx, person):
                found.append(_Occasion(BIRTHDAY, person, str(birthday.year), {"customer_id": person}))
        return found, _last(ids)


def load_lasts(config_dir: Path) -> dict[str, timedelta]:
    """Read `replenishment.toml`: sku -> how long one piece lasts; without the file nothing is known.

    Raises:
        BadSettings: REPLENISHMENT_WRONG.
    """
    file = config_dir / "replenishment.toml"
    if not file.exists():
        return {}
    lasts = {}
    try:
        for sku, said in tomllib.loads(file.read_text(encoding="utf-8")).items():
            try:
                lasts[sku] = msgspec.convert(said, timedelta)
            except msgspec.ValidationError as error:
                raise BadSettings("REPLENISHMENT_WRONG", f"{file}: {sku}: {error}") from error
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadSettings("REPLENISHMENT_WRONG", f"{file}: {error}") from error
    if short := sorted(sku for sku, each in lasts.items() if each <= timedelta(0)):
        raise BadSettings("REPLENISHMENT_WRONG", f"{file}: {short[0]} must last longer than nothing")
    return lasts


def _persons(tx: Transaction, ids: Sequence[str]) -> list[str]:
    """Return whom *ids* stand for, each once."""
    tx.identities.prepare(ids)
    return list(dict.fromkeys(tx.identities.resolve(each) for each in ids))


def _who_may_be_looked_at(tx: Transaction, persons: Sequence[str]) -> list[str]:
    """Return those who neither object to it nor are restricted; what is asked of each is read for all at once."""
    tx.consents.prepare(persons)
    tx.restrictions.prepare(persons)
    tx.suppressions.prepare(persons, (), EVERY_CHANNEL)
    return [each for each in persons if not restricted(tx, each) and not objects(tx, each, PROFILING)]


def _last(ids: Sequence[str]) -> str | None:
    return ids[-1] if len(ids) == _PERSONS_PER_TRANSACTION else None


def _next_birthday(birth_date: str, today: date) -> date:
    born = date.fromisoformat(birth_date)
    this_year = _birthday_in(born, today.year)
    return this_year if this_year >= today else _birthday_in(born, today.year + 1)


def _birthday_in(born: date, year: int) -> date:
    try:
        return born.replace(year=year)
    except ValueError:
        # Born on 29 February.
        return date(year, 2, 28)


def _event_id(occasion: _Occasion) -> str:
    # What it is about may be a birthday: only its hash stands beside the customer.
    return str(uuid.uuid5(_SPACE, f"{occasion.event_type}:{occasion.customer_id}:{occasion.about}"))


def _arrival(occasion: _Occasion, now: datetime) -> Arrival:
    event = Event(
        id=_event_id(occasion),
        source=OWN_SOURCE,
        type=occasion.event_type,
        subject=occasion.customer_id,
        time=now,
        data=dict(occasion.data),
    )
    body = {"type": event.type, "subject": event.subject, "time": now.isoformat(), "data": event.data}
    return Arrival(event, now, hashlib.sha256(msgspec.json.encode(body, order="sorted")).hexdigest())
