"""The repositories of one transaction, on SQLAlchemy Core: the same statements for SQLite and PostgreSQL."""

from collections.abc import Collection, Mapping
from dataclasses import asdict, fields
from datetime import datetime
from functools import cache
from typing import Any, TypeVar

from sqlalchemy import (
    ColumnElement,
    Connection,
    Insert,
    Row,
    Select,
    Table,
    and_,
    bindparam,
    func,
    insert,
    literal_column,
    or_,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from waggle.domain.cart import Cart
from waggle.domain.consent import ConsentFact
from waggle.domain.coupon import BudgetUse, Coupon
from waggle.domain.customer import Customer
from waggle.domain.enrolment import Enrolment
from waggle.domain.event import CartItem, Event
from waggle.domain.message import Message
from waggle.domain.order import Order
from waggle.domain.product import Product
from waggle.ports.journey_engine import EngineMessage
from waggle.ports.unit_of_work import Admission, AuditEntry, Link, Quarantined, QueuedMessage, StoredEvent
from waggle.storage import tables

T = TypeVar("T")


def _pending_about() -> Select[Any]:
    t = tables.events
    # Also by what the data names: the sender may have given another subject.
    named = (t.c.subject, t.c.data["customer_id"].as_string(), t.c.data["cart_id"].as_string())
    concerned = or_(*(name.in_(bindparam("subjects", expanding=True)) for name in named))
    # Written out, as in the index: a condition given as a parameter makes SQLite plan the statement each time.
    return select(t.c.sequence).where(t.c.state == literal_column("'pending'"), concerned).limit(1)


def _left_since() -> Select[Any]:
    t = tables.messages
    left = or_(
        t.c.state == literal_column("'claimed'"),
        and_(t.c.state.in_(_written_out("handed_over", "sent", "in_doubt")), t.c.handed_over_at > bindparam("since")),
        t.c.doubted_at > bindparam("since"),
    )
    whose = (t.c[name] == bindparam(name) for name in ("customer_id", "purpose", "channel"))
    return select(func.count()).select_from(t).where(*whose, t.c.message_id != bindparam("but"), left)


def _orders_of_customer() -> Select[Any]:
    t, carts = tables.orders, tables.carts
    own_carts = select(carts.c.cart_id).where(carts.c.customer_id == bindparam("customer_id"))
    as_guest = and_(t.c.customer_id.is_(None), t.c.cart_id.in_(own_carts))
    return select(t).where(or_(t.c.customer_id == bindparam("customer_id"), as_guest))


def _written_out(*words: str) -> list[ColumnElement[Any]]:
    return [literal_column(f"'{word}'") for word in words]


@cache
def _by_key(table: Table, names: tuple[str, ...]) -> Select[Any]:
    return select(table).where(and_(*(table.c[name] == bindparam(name) for name in names)))


@cache
def _upsert(dialect: str, table: Table, names: tuple[str, ...]) -> Insert:
    key = [column.name for column in table.primary_key]
    statement: Any = {"postgresql": postgresql, "sqlite": sqlite}[dialect].insert(table)
    statement = statement.values({name: bindparam(name) for name in names})
    others = {name: statement.excluded[name] for name in names if name not in key}
    made: Insert = statement.on_conflict_do_update(index_elements=key, set_=others)
    return made


_PENDING_ABOUT = _pending_about()
_LEFT_SINCE = _left_since()
_ORDERS_OF_CUSTOMER = _orders_of_customer()
_FIRST_ORDER_OF_CART = (
    _by_key(tables.orders, ("cart_id",)).order_by(tables.orders.c.placed_at, tables.orders.c.order_id).limit(1)
)
_MESSAGES_OF_ENROLMENT = _by_key(tables.messages, ("enrolment_id",)).order_by(tables.messages.c.planned_at)


class _Repository:
    """Lives as long as its transaction, in which nothing changes but by its own hand.

    Statements are built once and rows by key read once: built and read anew they took the greater part of the 38 ms of
    processor time that a journey of 12 transactions cost on SQLite; it is 15 ms now.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._seen: dict[tuple[Table, tuple[tuple[str, object], ...]], Row[Any] | None] = {}

    def _one(self, table: Table, **key: object) -> Row[Any] | None:
        known = (table, tuple(key.items()))
        if known not in self._seen:
            self._seen[known] = self._connection.execute(_by_key(table, tuple(key)), key).one_or_none()
        return self._seen[known]

    def _add(self, table: Table, row: Mapping[str, object]) -> None:
        self._seen.clear()
        self._connection.execute(insert(table), row)

    def _save(self, table: Table, row: Mapping[str, object]) -> None:
        """Insert *row*, or replace what stands under its primary key."""
        self._seen.clear()
        self._connection.execute(_upsert(self._connection.dialect.name, table, tuple(row)), row)

    def _all(self, kind: type[T], statement: Select[Any], given: Mapping[str, object] | None = None) -> list[T]:
        return [_value(kind, row) for row in self._connection.execute(statement, given)]


def _value(kind: type[T], row: Row[Any]) -> T:
    found = row._mapping  # noqa: SLF001 -- SQLAlchemy's public name for a row's columns by name
    return kind(**{field.name: found[field.name] for field in fields(kind)})  # type: ignore[arg-type]


class Events(_Repository):
    def add(self, event: Event, received_at: datetime, body_sha256: str) -> Admission:
        dialect = postgresql if self._connection.dialect.name == "postgresql" else sqlite
        inserted = self._connection.scalar(
            dialect.insert(tables.events)
            .values(
                source=event.source,
                event_id=event.id,
                type=event.type,
                subject=event.subject,
                time=event.time,
                received_at=received_at,
                body_sha256=body_sha256,
                data=event.data,
                state="pending",
            )
            .on_conflict_do_nothing(index_elements=["source", "event_id"])
            .returning(tables.events.c.sequence)
        )
        if inserted is not None:
            return "accepted"
        known = self._connection.scalar(
            select(tables.events.c.body_sha256).where(
                tables.events.c.source == event.source, tables.events.c.event_id == event.id
            )
        )
        return "duplicate" if known == body_sha256 else "conflict"

    def refuse(self, source: str, event_id: str, code: str, body_sha256: str, refused_at: datetime) -> None:
        self._connection.execute(
            insert(tables.refused_events).values(
                source=source, event_id=event_id, code=code, body_sha256=body_sha256, refused_at=refused_at
            )
        )

    def pending(self, limit: int) -> list[StoredEvent]:
        t = tables.events
        rows = self._connection.execute(
            select(t).where(t.c.state == "pending").order_by(t.c.sequence).limit(limit).with_for_update()
        )
        return [
            StoredEvent(row.sequence, Event(row.event_id, row.source, row.type, row.subject, row.time, row.data))
            for row in rows
        ]

    def any_pending(self, subjects: Collection[str]) -> bool:
        return self._connection.scalar(_PENDING_ABOUT, {"subjects": list(subjects)}) is not None

    def mark_applied(self, sequences: Collection[int], applied_at: datetime) -> None:
        t = tables.events
        self._connection.execute(
            update(t).where(t.c.sequence.in_(list(sequences))).values(state="applied", settled_at=applied_at)
        )

    def quarantine(self, sequence: int, code: str, at: datetime) -> None:
        t = tables.events
        self._connection.execute(
            update(t)
            .where(t.c.sequence == sequence, t.c.state == "pending")
            .values(state="quarantined", code=code, settled_at=at)
        )

    def quarantined(self) -> list[Quarantined]:
        t = tables.events
        rows = self._connection.execute(select(t).where(t.c.state == "quarantined").order_by(t.c.sequence))
        return [Quarantined(row.sequence, row.source, row.event_id, row.type, row.code) for row in rows]

    def count_pending(self) -> int:
        t = tables.events
        return self._connection.scalar(select(func.count()).select_from(t).where(t.c.state == "pending")) or 0

    def oldest_pending_at(self) -> datetime | None:
        t = tables.events
        # Written out, as in the index: SQLite uses a partial index only if it sees that the condition holds.
        is_pending = t.c.state == bindparam("pending", "pending", literal_execute=True)
        return self._connection.scalar(select(t.c.received_at).where(is_pending).order_by(t.c.sequence).limit(1))

    def forget(self, customer_id: str, told_until: datetime) -> None:
        t = tables.events
        # Not by the subject: the sender may have given another one.
        of_customer = t.c.data["customer_id"].as_string() == customer_id
        self._connection.execute(
            update(t)
            .where(t.c.type == "customer-identified", of_customer, t.c.time <= told_until)
            .values(data={"customer_id": customer_id})
        )


class WriteKeys(_Repository):
    def add(self, source: str, key_hash: str, created_at: datetime) -> None:
        self._save(tables.write_keys, {"key_hash": key_hash, "source": source, "created_at": created_at})

    def source_of(self, key_hash: str) -> str | None:
        row = self._one(tables.write_keys, key_hash=key_hash)
        return None if row is None else str(row.source)

    def sources(self) -> list[str]:
        t = tables.write_keys
        return list(self._connection.scalars(select(t.c.source).distinct().order_by(t.c.source)))


class Customers(_Repository):
    def get(self, customer_id: str) -> Customer | None:
        row = self._one(tables.customers, customer_id=customer_id)
        return None if row is None else _value(Customer, row)

    def save(self, customer: Customer) -> None:
        self._save(tables.customers, asdict(customer))


class Consents(_Repository):
    def add(self, fact: ConsentFact) -> None:
        self._add(tables.consents, asdict(fact))

    def facts(self, customer_id: str, purpose: str, channel: str) -> list[ConsentFact]:
        key = {"customer_id": customer_id, "purpose": purpose, "channel": channel}
        return self._all(ConsentFact, _by_key(tables.consents, tuple(key)), key)


class Suppressions(_Repository):
    def add(self, customer_id: str, channel: str, reason: str, at: datetime) -> None:
        row = {"customer_id": customer_id, "channel": channel, "reason": reason, "since": at}
        self._save(tables.suppressions, row)

    def reason(self, customer_id: str, channel: str) -> str | None:
        row = self._one(tables.suppressions, customer_id=customer_id, channel=channel)
        return None if row is None else str(row.reason)


class Carts(_Repository):
    def get(self, cart_id: str) -> Cart | None:
        row = self._one(tables.carts, cart_id=cart_id)
        if row is None:
            return None
        return Cart(
            cart_id=row.cart_id,
            customer_id=row.customer_id,
            currency=row.currency,
            items=tuple(CartItem(**item) for item in row.items),
            url=row.url,
            last_activity_at=row.last_activity_at,
            customer_told_at=row.customer_told_at,
            url_told_at=row.url_told_at,
        )

    def save(self, cart: Cart) -> None:
        self._save(tables.carts, {**asdict(cart), "items": [asdict(item) for item in cart.items]})


class Orders(_Repository):
    def get(self, order_id: str) -> Order | None:
        row = self._one(tables.orders, order_id=order_id)
        return None if row is None else _value(Order, row)

    def save(self, order: Order) -> None:
        self._save(tables.orders, asdict(order))

    def of_cart(self, cart_id: str) -> Order | None:
        found = self._all(Order, _FIRST_ORDER_OF_CART, {"cart_id": cart_id})
        return found[0] if found else None

    def of_customer(self, customer_id: str) -> list[Order]:
        return self._all(Order, _ORDERS_OF_CUSTOMER, {"customer_id": customer_id})


class Products(_Repository):
    def get(self, sku: str) -> Product | None:
        row = self._one(tables.products, sku=sku)
        return None if row is None else _value(Product, row)

    def save(self, product: Product) -> None:
        self._save(tables.products, asdict(product))


class Enrolments(_Repository):
    def get(self, enrolment_id: str) -> Enrolment | None:
        row = self._one(tables.enrolments, enrolment_id=enrolment_id)
        return None if row is None else _value(Enrolment, row)

    def save(self, enrolment: Enrolment) -> None:
        self._save(tables.enrolments, asdict(enrolment))

    def newest(self, journey: str, business_key: str) -> Enrolment | None:
        t = tables.enrolments
        of_key = select(t).where(t.c.journey == journey, t.c.business_key == business_key)
        found = self._all(Enrolment, of_key.order_by(t.c.entry.desc()).limit(1))
        return found[0] if found else None

    def live_by_key(self, journey: str, business_key: str) -> Enrolment | None:
        newest = self.newest(journey, business_key)
        return newest if newest is not None and newest.live else None

    def live_of_customer(self, journey: str, customer_id: str) -> list[Enrolment]:
        t = tables.enrolments
        wanted = (t.c.journey == journey, t.c.customer_id == customer_id, t.c.state != "ended")
        return self._all(Enrolment, select(t).where(*wanted).order_by(t.c.entered_at))

    def live_of_cart(self, cart_id: str) -> list[Enrolment]:
        t = tables.enrolments
        return self._all(Enrolment, select(t).where(t.c.cart_id == cart_id, t.c.state != "ended"))

    def count_by_state(self) -> dict[tuple[str, str], int]:
        t = tables.enrolments
        rows = self._connection.execute(
            select(t.c.state, func.coalesce(t.c.outcome, ""), func.count()).group_by(t.c.state, t.c.outcome)
        )
        return {(state, outcome): count for state, outcome, count in rows}


def _engine_message(row: Row[Any]) -> EngineMessage:
    return EngineMessage(row.name, row.enrolment_id, row.message_id, row.time_to_live_s, row.variables)


class EngineMessages(_Repository):
    def add(self, message: EngineMessage, at: datetime) -> None:
        dialect = postgresql if self._connection.dialect.name == "postgresql" else sqlite
        again = {"state": "waiting", "not_before_at": at, "attempts": 0, "settled_at": None}
        self._connection.execute(
            dialect.insert(tables.engine_messages)
            .values(
                name=message.name,
                message_id=message.message_id,
                enrolment_id=message.enrolment_id,
                time_to_live_s=message.time_to_live_s,
                variables=dict(message.variables),
                **again,
            )
            .on_conflict_do_update(index_elements=["name", "message_id"], set_=again)
        )

    def due(self, now: datetime, limit: int) -> list[QueuedMessage]:
        t = tables.engine_messages
        rows = self._connection.execute(
            select(t)
            .where(t.c.state == "waiting", t.c.not_before_at <= now)
            .order_by(t.c.not_before_at, t.c.queue_id)
            .limit(limit)
        )
        return [
            QueuedMessage(
                row.queue_id,
                _engine_message(row),
                row.attempts,
            )
            for row in rows
        ]

    def unclaimed_starts(self, published_before: datetime, limit: int) -> list[EngineMessage]:
        t, e = tables.engine_messages, tables.enrolments
        joined = select(t).join(e, t.c.enrolment_id == e.c.enrolment_id)
        # Written out, as in the index: SQLite uses a partial index only if it sees that the condition holds.
        entering = e.c.state == bindparam("entering", "entering", literal_execute=True)
        # A start message bears the id of its enrolment.
        is_start = t.c.message_id == t.c.enrolment_id
        published = and_(t.c.state == "published", t.c.settled_at < published_before)
        rows = self._connection.execute(
            joined.where(entering, is_start, published).order_by(e.c.entered_at).limit(limit)
        )
        return [_engine_message(row) for row in rows]

    def refused_starts(self, limit: int) -> list[tuple[str, str]]:
        t, e = tables.engine_messages, tables.enrolments
        # Written out, as in the index: SQLite uses a partial index only if it sees that the condition holds.
        entering = e.c.state == bindparam("entering", "entering", literal_execute=True)
        refused = and_(t.c.message_id == t.c.enrolment_id, t.c.state == "refused")
        found = select(t.c.enrolment_id, t.c.code).join(e, t.c.enrolment_id == e.c.enrolment_id)
        rows = self._connection.execute(found.where(entering, refused).order_by(e.c.entered_at).limit(limit))
        return [(enrolment_id, code) for enrolment_id, code in rows]

    def mark_published(self, queue_id: int, at: datetime) -> None:
        self._change(queue_id, state="published", settled_at=at)

    def postpone(self, queue_id: int, not_before_at: datetime) -> None:
        self._change(queue_id, not_before_at=not_before_at, attempts=tables.engine_messages.c.attempts + 1)

    def mark_refused(self, queue_id: int, code: str, at: datetime) -> None:
        self._change(queue_id, state="refused", code=code, settled_at=at)

    def count_due(self) -> int:
        t = tables.engine_messages
        return self._connection.scalar(select(func.count()).select_from(t).where(t.c.state == "waiting")) or 0

    def _change(self, queue_id: int, **values: object) -> None:
        t = tables.engine_messages
        self._connection.execute(update(t).where(t.c.queue_id == queue_id).values(**values))


class Messages(_Repository):
    def get(self, enrolment_id: str, step: str) -> Message | None:
        row = self._one(tables.messages, enrolment_id=enrolment_id, step=step)
        return None if row is None else _value(Message, row)

    def by_id(self, message_id: str) -> Message | None:
        row = self._one(tables.messages, message_id=message_id)
        return None if row is None else _value(Message, row)

    def save(self, message: Message) -> None:
        self._save(tables.messages, asdict(message))

    def of_enrolment(self, enrolment_id: str) -> list[Message]:
        return self._all(Message, _MESSAGES_OF_ENROLMENT, {"enrolment_id": enrolment_id})

    def count_left_since(self, customer_id: str, purpose: str, channel: str, since: datetime, *, but: str) -> int:
        whose = {"customer_id": customer_id, "purpose": purpose, "channel": channel}
        return self._connection.scalar(_LEFT_SINCE, {**whose, "since": since, "but": but}) or 0

    def overdue(self, now: datetime, limit: int) -> list[Message]:
        t, e = tables.messages, tables.enrolments
        # Written out, as in the index: SQLite uses a partial index only if it sees that the condition holds.
        still_open = t.c.state.in_(bindparam("open", tables.OPEN, expanding=True, literal_execute=True))
        lease_over = or_(t.c.lease_until.is_(None), t.c.lease_until < now)
        ended = select(e.c.enrolment_id).where(e.c.enrolment_id == t.c.enrolment_id, e.c.state == "ended").exists()
        wanted = or_(t.c.state == "handed_over", t.c.expires_at <= now, ended)
        return self._all(Message, select(t).where(still_open, lease_over, wanted).order_by(t.c.expires_at).limit(limit))

    def in_doubt(self) -> list[Message]:
        t = tables.messages
        doubtful = t.c.state == bindparam("doubtful", "in_doubt", literal_execute=True)
        return self._all(Message, select(t).where(doubtful).order_by(t.c.handed_over_at, t.c.message_id))

    def newest(self, limit: int) -> list[Message]:
        t = tables.messages
        return self._all(Message, select(t).order_by(t.c.planned_at.desc(), t.c.message_id).limit(limit))

    def count_by_state(self) -> dict[tuple[str, str, str], int]:
        t = tables.messages
        rows = self._connection.execute(
            select(t.c.step, t.c.state, t.c.reason, func.count()).group_by(t.c.step, t.c.state, t.c.reason)
        )
        return {(step, state, reason): count for step, state, reason, count in rows}


class Links(_Repository):
    def add(self, link: Link) -> None:
        self._add(tables.links, asdict(link))

    def get(self, token: str) -> Link | None:
        row = self._one(tables.links, token=token)
        return None if row is None else _value(Link, row)

    def of_message(self, message_id: str) -> list[Link]:
        t = tables.links
        return self._all(Link, select(t).where(t.c.message_id == message_id).order_by(t.c.token))


class Coupons(_Repository):
    def get(self, coupon_id: str) -> Coupon | None:
        row = self._one(tables.coupons, coupon_id=coupon_id)
        return None if row is None else _value(Coupon, row)

    def of_step(self, enrolment_id: str, step: str) -> Coupon | None:
        row = self._one(tables.coupons, enrolment_id=enrolment_id, step=step)
        return None if row is None else _value(Coupon, row)

    def of_enrolment(self, enrolment_id: str) -> list[Coupon]:
        key = {"enrolment_id": enrolment_id}
        return self._all(Coupon, _by_key(tables.coupons, tuple(key)), key)

    def by_code(self, code: str) -> Coupon | None:
        row = self._one(tables.coupons, code=code)
        return None if row is None else _value(Coupon, row)

    def save(self, coupon: Coupon) -> None:
        self._save(tables.coupons, asdict(coupon))

    def budget_use(self, campaign: str) -> BudgetUse:
        row = self._one(tables.coupon_budgets, campaign=campaign)
        return BudgetUse() if row is None else BudgetUse(row.taken_count, row.taken_minor, row.currency)

    def set_budget_use(self, campaign: str, use: BudgetUse) -> None:
        row = {"campaign": campaign, "currency": use.currency}
        self._save(tables.coupon_budgets, {**row, "taken_count": use.count, "taken_minor": use.cost_minor})

    def wait_for_budgets(self) -> None:
        if self._connection.dialect.name == "postgresql":
            # The one statement that waits without fixing what the transaction will see.
            self._connection.exec_driver_sql("LOCK TABLE coupon_budgets IN SHARE ROW EXCLUSIVE MODE")

    def stale(self, now: datetime, limit: int) -> list[Coupon]:
        t = tables.coupons
        expired = select(t).where(t.c.state == "reserved", t.c.expires_at <= now)
        return self._all(Coupon, expired.order_by(t.c.expires_at).limit(limit))


class Audit(_Repository):
    def add(self, entry: AuditEntry) -> None:
        self._add(tables.audit, {**asdict(entry), "detail": dict(entry.detail)})

    def of_subject(self, subject: str) -> list[AuditEntry]:
        t = tables.audit
        return self._all(AuditEntry, select(t).where(t.c.subject == subject).order_by(t.c.sequence))


class SqlTransaction:
    """All repositories on one connection, which is in a transaction."""

    def __init__(self, connection: Connection) -> None:
        self.events = Events(connection)
        self.write_keys = WriteKeys(connection)
        self.customers = Customers(connection)
        self.consents = Consents(connection)
        self.suppressions = Suppressions(connection)
        self.carts = Carts(connection)
        self.orders = Orders(connection)
        self.products = Products(connection)
        self.enrolments = Enrolments(connection)
        self.engine_messages = EngineMessages(connection)
        self.messages = Messages(connection)
        self.links = Links(connection)
        self.coupons = Coupons(connection)
        self.audit = Audit(connection)
