"""What the product asks of its database: transactions, and in them the repositories."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol, TypeVar

from waggle.domain.cart import Cart
from waggle.domain.consent import ConsentFact
from waggle.domain.coupon import BudgetUse, Coupon
from waggle.domain.customer import Customer
from waggle.domain.enrolment import Enrolment
from waggle.domain.event import Event
from waggle.domain.message import Message
from waggle.domain.order import Order
from waggle.domain.product import Product
from waggle.ports.journey_engine import EngineMessage

T = TypeVar("T")

Admission = Literal["accepted", "duplicate", "conflict"]


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """An accepted event and its place in the order of arrival."""

    sequence: int
    event: Event


@dataclass(frozen=True, slots=True)
class Quarantined:
    """An accepted event that could not be applied; it stays until somebody retries it."""

    sequence: int
    source: str
    event_id: str
    event_type: str
    code: str


@dataclass(frozen=True, slots=True)
class QueuedMessage:
    """An engine message that waits to be published."""

    queue_id: int
    message: EngineMessage
    attempts: int


@dataclass(frozen=True, slots=True)
class Link:
    """What an unguessable token in a message stands for."""

    token: str
    message_id: str
    kind: Literal["click", "unsubscribe"]
    url: str | None
    """Where a click leads; None for an unsubscribe link."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """What a person decided. Opaque ids and the person's own words only, nothing about a customer."""

    at: datetime
    actor: str
    action: str
    """Kebab-case past tense: `message-settled`."""
    subject: str
    """Id of what it was done to."""
    why: str
    detail: Mapping[str, str] = field(default_factory=dict)


class EventLog(Protocol):
    """The inbox: every accepted event, once, in the order of arrival."""

    def add(self, event: Event, received_at: datetime, body_sha256: str) -> Admission:
        """Store *event* unless its (source, id) is known; `conflict`: known with another body."""
        ...

    def refuse(self, source: str, event_id: str, code: str, body_sha256: str, refused_at: datetime) -> None:
        """Record that an event was turned away; its content is not kept."""
        ...

    def pending(self, limit: int) -> list[StoredEvent]:
        """Return accepted events not yet applied, oldest first; others that ask wait until this transaction ends."""
        ...

    def any_pending(self, subjects: Collection[str]) -> bool:
        """Say whether an accepted event is not yet applied that is about, or names as customer or cart, a subject."""
        ...

    def mark_applied(self, sequences: Collection[int], applied_at: datetime) -> None: ...

    def quarantine(self, sequence: int, code: str, at: datetime) -> None:
        """Set aside an event that cannot be applied, so that it holds up no other."""
        ...

    def quarantined(self) -> list[Quarantined]: ...

    def count_pending(self) -> int: ...
    def oldest_pending_at(self) -> datetime | None:
        """Return when the first of the events not yet applied was received."""
        ...

    def forget(self, customer_id: str, told_until: datetime) -> None:
        """Empty the stored data of events up to *told_until* that hold personal fields of the customer."""
        ...


class WriteKeyRepository(Protocol):
    """Keys of the sources that may send events; only their hashes are kept."""

    def add(self, source: str, key_hash: str, created_at: datetime) -> None: ...
    def source_of(self, key_hash: str) -> str | None: ...
    def sources(self) -> list[str]: ...


class CustomerRepository(Protocol):
    """The one door to personal fields."""

    def get(self, customer_id: str) -> Customer | None: ...
    def save(self, customer: Customer) -> None: ...


class ConsentRepository(Protocol):
    def add(self, fact: ConsentFact) -> None: ...
    def facts(self, customer_id: str, purpose: str, channel: str) -> list[ConsentFact]: ...


class SuppressionRepository(Protocol):
    """Addresses that must not be written to whatever was agreed: bounces, complaints, refusals."""

    def add(self, customer_id: str, channel: str, reason: str, at: datetime) -> None: ...
    def reason(self, customer_id: str, channel: str) -> str | None: ...


class CartRepository(Protocol):
    def get(self, cart_id: str) -> Cart | None: ...
    def save(self, cart: Cart) -> None: ...


class OrderRepository(Protocol):
    def get(self, order_id: str) -> Order | None: ...
    def save(self, order: Order) -> None: ...
    def of_cart(self, cart_id: str) -> Order | None: ...
    def of_customer(self, customer_id: str) -> list[Order]:
        """Return the customer's orders, also those placed as a guest from a cart that is now known to be theirs."""
        ...


class ProductRepository(Protocol):
    def get(self, sku: str) -> Product | None: ...
    def save(self, product: Product) -> None: ...


class EnrolmentRepository(Protocol):
    def get(self, enrolment_id: str) -> Enrolment | None: ...
    def save(self, enrolment: Enrolment) -> None: ...
    def newest(self, journey: str, business_key: str) -> Enrolment | None:
        """Return the last enrolment made for the key, live or ended."""
        ...

    def live_by_key(self, journey: str, business_key: str) -> Enrolment | None: ...
    def live_of_customer(self, journey: str, customer_id: str) -> list[Enrolment]: ...
    def live_of_cart(self, cart_id: str) -> list[Enrolment]: ...
    def count_by_state(self) -> dict[tuple[str, str], int]:
        """Return how many there are per (state, outcome or "")."""
        ...


class EngineMessageQueue(Protocol):
    """Engine messages decided on in the same transaction as the state that calls for them."""

    def add(self, message: EngineMessage, at: datetime) -> None:
        """Queue *message*; a (name, message id) queued before is queued again, since repeats are harmless."""
        ...

    def due(self, now: datetime, limit: int) -> list[QueuedMessage]: ...
    def unclaimed_starts(self, published_before: datetime, limit: int) -> list[EngineMessage]:
        """Return the starts, published before, of enrolments that no journey has claimed yet."""
        ...

    def refused_starts(self, limit: int) -> list[tuple[str, str]]:
        """Return (enrolment id, code) of starts that the engine refused, of enrolments that still wait to begin."""
        ...

    def mark_published(self, queue_id: int, at: datetime) -> None: ...
    def postpone(self, queue_id: int, not_before_at: datetime) -> None: ...
    def mark_refused(self, queue_id: int, code: str, at: datetime) -> None: ...
    def count_due(self) -> int: ...


class MessageRepository(Protocol):
    def get(self, enrolment_id: str, step: str) -> Message | None: ...
    def by_id(self, message_id: str) -> Message | None: ...
    def save(self, message: Message) -> None: ...
    def of_enrolment(self, enrolment_id: str) -> list[Message]: ...
    def count_left_since(self, customer_id: str, purpose: str, channel: str, since: datetime, *, but: str) -> int:
        """Count messages, *but* the one of that id, that left or may have left after *since* or are about to."""
        ...

    def in_doubt(self) -> list[Message]:
        """Return all in doubt, the one handed over first at the top."""
        ...

    def newest(self, limit: int) -> list[Message]:
        """Return those planned last, the newest first."""
        ...

    def overdue(self, now: datetime, limit: int) -> list[Message]:
        """Return messages that can get no further by themselves.

        Not final and expired, or of a journey that ended, or handed over by a process that is gone.
        """
        ...

    def count_by_state(self) -> dict[tuple[str, str, str], int]:
        """Return how many there are per (step, state, reason)."""
        ...


class LinkRepository(Protocol):
    def add(self, link: Link) -> None: ...
    def get(self, token: str) -> Link | None: ...
    def of_message(self, message_id: str) -> list[Link]: ...


class CouponRepository(Protocol):
    def get(self, coupon_id: str) -> Coupon | None: ...
    def of_step(self, enrolment_id: str, step: str) -> Coupon | None: ...
    def of_enrolment(self, enrolment_id: str) -> list[Coupon]: ...
    def by_code(self, code: str) -> Coupon | None: ...
    def save(self, coupon: Coupon) -> None: ...
    def budget_use(self, campaign: str) -> BudgetUse:
        """Return what is taken of a campaign's budget: a counter that equals the sum over its coupons."""
        ...

    def set_budget_use(self, campaign: str, use: BudgetUse) -> None: ...
    def wait_for_budgets(self) -> None:
        """Wait until nobody else in a transaction takes from a budget; to be called before anything else in this one.

        Without it the promise holds as well, but those who meet at a budget are made to begin again and again.
        """
        ...

    def stale(self, now: datetime, limit: int) -> list[Coupon]:
        """Return coupons that have expired without ever having been issued."""
        ...


class AuditLog(Protocol):
    """Append-only."""

    def add(self, entry: AuditEntry) -> None: ...
    def of_subject(self, subject: str) -> list[AuditEntry]: ...


class Transaction(Protocol):
    """The repositories, all within one transaction."""

    @property
    def events(self) -> EventLog: ...
    @property
    def write_keys(self) -> WriteKeyRepository: ...
    @property
    def customers(self) -> CustomerRepository: ...
    @property
    def consents(self) -> ConsentRepository: ...
    @property
    def suppressions(self) -> SuppressionRepository: ...
    @property
    def carts(self) -> CartRepository: ...
    @property
    def orders(self) -> OrderRepository: ...
    @property
    def products(self) -> ProductRepository: ...
    @property
    def enrolments(self) -> EnrolmentRepository: ...
    @property
    def engine_messages(self) -> EngineMessageQueue: ...
    @property
    def messages(self) -> MessageRepository: ...
    @property
    def links(self) -> LinkRepository: ...
    @property
    def coupons(self) -> CouponRepository: ...
    @property
    def audit(self) -> AuditLog: ...


class UnitOfWork(Protocol):
    """Runs plain functions in transactions that behave as if they ran one after another.

    Both methods raise TemporaryFailure: DATABASE_LOCKED, DATABASE_READ_ONLY, DATABASE_FULL or DATABASE_UNREACHABLE;
    nothing was then stored. An error raised by the work itself undoes what it did and is passed on.
    """

    async def run(self, work: Callable[[Transaction], T]) -> T:
        """Run *work* and return its result once everything it stored is durable.

        *work* does no input or output of its own and may be run again from the start if the database asks for it.
        """
        ...

    async def read(self, work: Callable[[Transaction], T]) -> T:
        """Run *work*, which only reads, on one consistent view of what is stored."""
        ...
