"""Whatever happens in whatever order: what is known is what follows from the events, read anew."""

import os
import random
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import StaticPool, create_engine, event
from sqlalchemy.engine import Connection

from waggle.domain.event import Event
from waggle.services.identities import erase_others
from waggle.services.projections import fact_of, project
from waggle.services.replay import dump
from waggle.services.state_rules import StateRules
from waggle.storage.repositories import SqlTransaction
from waggle.storage.tables import metadata
from waggle.storage.vault import Vault
from waggle.testing.stores import KEYRING

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
RULES = StateRules(prefer={("product", "price"): ("erp",), ("customer", "email"): ("erp",)}, merge_by_phone=True)

CUSTOMERS = ("c-1", "c-2", "guest-3")
BROWSERS = ("a-1", "a-2")
CARTS = ("k-1", "k-2")
ORDERS = ("o-1", "o-2")
SKUS = ("honey", "wax")
EMAILS = ("ada@example.com", "bee@example.com")
PHONES = ("+48123456789", "+48123456780")

Told = tuple[str, dict[str, Any]]
one = st.sampled_from


def of(event_type: str, **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Told]:
    told = st.fixed_dictionaries(fields).map(lambda data: {k: v for k, v in data.items() if v is not None})
    return told.map(lambda data: (event_type, data))


def maybe(*values: object) -> st.SearchStrategy[Any]:
    return st.sampled_from([None, *values])


LINE = st.fixed_dictionaries({"sku": one(SKUS), "quantity": one([1, 2]), "unit_price_minor": one([5, 7])})
LINES = st.lists(LINE, max_size=2)
WHO = {"customer_id": maybe(*CUSTOMERS), "anonymous_id": maybe(*BROWSERS)}
EUR = st.just("EUR")
MONEY = {"currency": EUR, "amount_minor": one([100, 200])}
OF_ORDER = {"order_id": one(ORDERS), "customer_id": maybe(*CUSTOMERS)}

FACTS = st.one_of(
    of(
        "customer-identified",
        customer_id=one(CUSTOMERS),
        email=maybe(*EMAILS),
        phone=maybe(*PHONES),
        first_name=maybe("Ada", "Eve"),
        anonymous_id=maybe(*BROWSERS),
        country=maybe("PL"),
    ),
    of("customer-erased", customer_id=one(CUSTOMERS)),
    of("customers-merged", customer_id=one(CUSTOMERS), merged_customer_id=one(CUSTOMERS)),
    of("customers-split", customer_id=one(CUSTOMERS), merged_customer_id=one(CUSTOMERS)),
    of("customer-restricted", customer_id=one(CUSTOMERS)),
    of("customer-unrestricted", customer_id=one(CUSTOMERS)),
    of("cart-updated", cart_id=one(CARTS), currency=EUR, items=LINES, **WHO),
    of(
        "product-added",
        cart_id=one(CARTS),
        currency=EUR,
        sku=one(SKUS),
        quantity=one([1, 3]),
        unit_price_minor=one([5, 7]),
        **WHO,
    ),
    of("product-removed", cart_id=one(CARTS), sku=one(SKUS), quantity=one([1, 2]), **WHO),
    of(
        "checkout-started",
        checkout_id=one(["x-1", "x-2"]),
        cart_id=maybe(*CARTS),
        currency=EUR,
        total_minor=st.just(5),
        items=LINES,
        **WHO,
    ),
    of(
        "order-placed",
        order_id=one(ORDERS),
        currency=EUR,
        total_minor=one([1, 2]),
        items=LINES,
        cart_id=maybe(*CARTS),
        checkout_id=maybe("x-1"),
        **WHO,
    ),
    of("order-paid", **OF_ORDER),
    of("order-shipped", **OF_ORDER),
    of("order-delivered", **OF_ORDER),
    of("order-cancelled", **OF_ORDER),
    of("order-returned", refund_minor=maybe(1), **OF_ORDER),
    of("payment-authorised", payment_id=st.just("p-1"), order_id=maybe(*ORDERS), **MONEY),
    of("payment-failed", payment_id=st.just("p-1"), code=maybe("expired")),
    of("payment-refunded", payment_id=st.just("p-1"), **MONEY),
    of("product-updated", sku=one(SKUS), name=one(["H", "W"]), price_minor=one([1, 2]), currency=EUR),
    of("price-changed", sku=one(SKUS), price_minor=one([3, 4]), currency=EUR),
    of("stock-changed", sku=one(SKUS), quantity=one([0, 1])),
    of("page-viewed", url=st.just("https://shop.example/"), **WHO),
    of("product-viewed", sku=one(SKUS), **WHO),
    of("consent-given", customer_id=one(CUSTOMERS), ip=maybe("192.0.2.1")),
    of("consent-withdrawn", customer_id=one(CUSTOMERS)),
    of("message-clicked", message_id=st.just("m-1")),
)


@dataclass
class Life:
    """A database in memory; one connection, in one transaction that is never committed."""

    connection: Connection
    sequence: int = 0
    arrived: list[Event] = field(default_factory=list)

    def tx(self) -> SqlTransaction:
        return SqlTransaction(self.connection, Vault(self.connection, KEYRING))

    def live(self, events: Sequence[Event]) -> None:
        """Take events in and apply them one by one as the relay does, with those that they call forth."""
        for each in events:
            self.tx().events.add(each, NOON, each.id)
            while pending := self.tx().events.pending(1):
                [stored] = pending
                tx = self.tx()
                fact = fact_of(stored.event)
                erase_others(tx, fact, stored.event, NOON)
                project(tx, stored.event, fact, RULES)
                tx.events.mark_applied([stored.sequence], NOON)

    def apply(self, events: Sequence[Event]) -> None:
        """Only what follows from these very events."""
        for each in events:
            project(self.tx(), each, fact_of(each), RULES)

    def log(self) -> list[Event]:
        """The events as they can be read now."""
        tx = self.tx()
        applied, _ = tx.events.applied_after(0, 10_000)
        return [stored.event for stored in tx.events.of_numbers(applied)]


@pytest.fixture(scope="module")
def memories() -> Iterator[tuple[Connection, Connection]]:
    """Two databases, emptied by rolling back."""
    engines = [create_engine("sqlite://", poolclass=StaticPool) for _ in range(2)]
    connections = []
    for engine in engines:

        @event.listens_for(engine, "connect")
        def prepare(connection: sqlite3.Connection, _record: object) -> None:
            connection.isolation_level = None

        @event.listens_for(engine, "begin")
        def begin(connection: Connection) -> None:
            connection.exec_driver_sql("BEGIN")

        metadata.create_all(engine)
        connections.append(engine.connect())
    yield connections[0], connections[1]
    for connection in connections:
        connection.close()
    for engine in engines:
        engine.dispose()


def fresh(connection: Connection) -> Life:
    connection.rollback()
    connection.begin()
    return Life(connection)


SOURCES = ("shop", "erp")


@st.composite
def histories(draw: st.DrawFn) -> list[Event]:
    """Events in the order of their arrival; their times are a shuffle of it, and some arrive twice."""
    told = draw(st.lists(st.tuples(FACTS, one(SOURCES)), min_size=2, max_size=14))
    minutes = draw(st.permutations(range(len(told))))
    return [
        Event(f"e-{number}", source, event_type, "s", NOON + timedelta(minutes=minutes[number]), data)
        for number, ((event_type, data), source) in enumerate(told)
    ]


def check_replay(memories: tuple[Connection, Connection], events: Sequence[Event], seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 -- drawn from a seed
    lived = fresh(memories[0])
    repeated = [*events, *chance.sample(events, k=min(2, len(events)))]
    lived.live(repeated)
    known = dump(lived.tx())
    read_anew = fresh(memories[1])
    log = lived.log()
    read_anew.apply([*log, *chance.sample(log, k=min(2, len(log)))])

    assert dump(read_anew.tx()) == known


def check_order(memories: tuple[Connection, Connection], events: Sequence[Event], seed: int) -> None:
    shuffled = random.Random(seed).sample(events, k=len(events))  # noqa: S311 -- drawn from a seed
    one_way, other_way = fresh(memories[0]), fresh(memories[1])
    one_way.apply(events)
    other_way.apply(shuffled)

    assert dump(one_way.tx()) == dump(other_way.tx())


FEW = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
# Five thousand each are the whole proof, for which REPLAY_HISTORIES=5000 is set; that is ten minutes of work.
HISTORIES = int(os.environ.get("REPLAY_HISTORIES", "1000"))
MANY = settings(max_examples=HISTORIES, deadline=None, suppress_health_check=list(HealthCheck))


@FEW
@given(events=histories(), seed=st.integers(0, 100))
def test_events_read_anew_make_what_is_known(
    memories: tuple[Connection, Connection], events: list[Event], seed: int
) -> None:
    check_replay(memories, events, seed)


@FEW
@given(events=histories(), seed=st.integers(0, 100))
def test_the_order_in_which_events_arrive_does_not_matter(
    memories: tuple[Connection, Connection], events: list[Event], seed: int
) -> None:
    check_order(memories, events, seed)


@pytest.mark.guarantee
@pytest.mark.timeout(3600)
@MANY
@given(events=histories(), seed=st.integers(0, 1_000))
def test_a_thousand_histories_read_anew_make_what_is_known(
    memories: tuple[Connection, Connection], events: list[Event], seed: int
) -> None:
    check_replay(memories, events, seed)


@pytest.mark.guarantee
@pytest.mark.timeout(3600)
@MANY
@given(events=histories(), seed=st.integers(0, 1_000))
def test_a_thousand_histories_are_known_alike_in_whatever_order_they_arrive(
    memories: tuple[Connection, Connection], events: list[Event], seed: int
) -> None:
    check_order(memories, events, seed)
