"""What the product asks of its database: transactions, and in them the repositories."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Protocol, TypeVar

from waggle.domain.audience import Membership
from waggle.domain.cart import Cart
from waggle.domain.coupon import BudgetUse, Coupon
from waggle.domain.customer import Customer
from waggle.domain.effect import Effect
from waggle.domain.enrolment import Enrolment
from waggle.domain.event import Event
from waggle.domain.loyalty import LoyaltyEntry
from waggle.domain.message import Message
from waggle.domain.order import Order
from waggle.domain.payment import Payment
from waggle.domain.product import Product, ProductView
from waggle.domain.telling import Told
from waggle.domain.wave import Wave
from waggle.ports.bulk_reads import BulkReads
from waggle.ports.campaigns import ApprovalRepository, CampaignRepository, ConsoleSessions, SegmentReads
from waggle.ports.identities import IdentityRepository
from waggle.ports.journey_engine import EngineMessage
from waggle.ports.keys import KeyRepository, PersonRepository
from waggle.ports.person_keys import PersonKeys
from waggle.ports.privacy import (
    ConsentRepository,
    ConsentTexts,
    Exports,
    LegalHolds,
    OneTimeLinks,
    PersonalData,
    PrivacyRequests,
    RestrictionRepository,
    RetentionRuns,
    SuppressionRepository,
    TransferRegister,
)
from waggle.ports.pulling import PullingRepository
from waggle.ports.quarantine import Quarantine
from waggle.ports.state import StateRepository
from waggle.ports.streams import OutcomeLog, Streams
from waggle.ports.versions import PauseRepository, VersionRepository
from waggle.ports.webhooks import Deliveries

T = TypeVar("T")

Admission = Literal["accepted", "duplicate", "conflict"]


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """An accepted event and its place in the order of arrival."""

    sequence: int
    event: Event


@dataclass(frozen=True, slots=True)
class Arrival:
    """A good event on its way into the inbox."""

    event: Event
    received_at: datetime
    body_sha256: str


@dataclass(frozen=True, slots=True)
class RefusedArrival:
    """An event that was turned away."""

    source: str
    event_id: str
    """Empty if it had none worth the name."""
    code: str
    body_sha256: str
    """Empty if not even that may be kept."""
    refused_at: datetime


@dataclass(frozen=True, slots=True)
class Quarantined:
    """An accepted event that could not be applied; it stays until somebody retries it."""

    sequence: int
    source: str
    event_id: str
    event_type: str
    code: str
    settled_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class QueuedMessage:
    """An engine message that waits to be published."""

    queue_id: int
    message: EngineMessage
    attempts: int


@dataclass(frozen=True, slots=True)
class RefusedMessage:
    """An engine message that the engine did not take."""

    queue_id: int
    name: str
    enrolment_id: str
    code: str
    settled_at: datetime


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


@dataclass(frozen=True, slots=True)
class ChainedEntry:
    """An entry in its place in the audit log, and the hash that ties it to all before it."""

    sequence: int
    entry: AuditEntry
    row_hash: str


@dataclass(frozen=True, slots=True)
class AuditHead:
    """Where the audit log ends."""

    sequence: int
    row_hash: str


class EventLog(Protocol):
    """The inbox: every accepted event, once, in the order of arrival."""

    def add(self, event: Event, received_at: datetime, body_sha256: str) -> Admission:
        """Store *event* unless its (source, id) is known; `conflict`: known with another body."""
        ...

    def add_all(self, arrivals: Sequence[Arrival]) -> list[Admission]:
        """Do as `add` does with each of *arrivals*, at once; the first of two with one (source, id) is the one kept."""
        ...

    def known(self, source: str, event_ids: Collection[str]) -> set[str]:
        """Return which of these ids a source has told already."""
        ...

    def refuse_all(self, refused: Sequence[RefusedArrival]) -> None:
        """Record that these were turned away; their content is not kept."""
        ...

    def refused(self, limit: int) -> list[RefusedArrival]:
        """Return those turned away last, the newest first."""
        ...

    def get(self, sequence: int) -> StoredEvent | None: ...
    def mend(self, sequence: int, data: Mapping[str, Any]) -> None:
        """Put *data* in the place of what an event that is set aside said; its sender may still repeat it unchanged."""
        ...

    def release(self, sequence: int) -> None:
        """Let an event that is set aside be applied."""
        ...

    def pending(self, limit: int) -> list[StoredEvent]:
        """Return accepted events not yet applied, oldest first; others that ask wait until this transaction ends."""
        ...

    def prepare_pending(self, subjects: Collection[str]) -> None:
        """Ask for many at once, before they are asked for one by one."""
        ...

    def any_pending(self, subjects: Collection[str]) -> bool:
        """Say whether an accepted event is not yet applied that is about, or names as customer or cart, a subject."""
        ...

    def mark_applied(self, sequences: Collection[int], applied_at: datetime) -> None: ...

    def quarantine(self, sequence: int, code: str, at: datetime) -> None:
        """Set aside an event that cannot be applied, so that it holds up no other."""
        ...

    def quarantined(self) -> list[Quarantined]: ...
    def set_aside_about(self, customer_ids: Collection[str], code: str) -> list[int]:
        """Return the numbers of the events about these customers that are set aside with *code*, the oldest first."""
        ...

    def count_pending(self) -> int: ...
    def oldest_pending_at(self) -> datetime | None:
        """Return when the first of the events not yet applied was received."""
        ...

    def applied_after(self, sequence: int, limit: int) -> tuple[list[int], list[int]]:
        """Return of the next *limit* events the numbers of those that are applied, and of those that are not."""
        ...

    def applied_among(self, sequences: Collection[int]) -> list[int]: ...
    def of_numbers(self, sequences: Collection[int]) -> list[StoredEvent]:
        """Return these events, in the order of arrival."""
        ...

    def count_applied(self) -> int: ...
    def forget(self, customer_id: str, told_until: datetime) -> None:
        """Destroy the customer's key, and empty what events up to *told_until* hold that is personal.

        What was told later stays, under a new key. Nothing else of the customer can be read any more: who has to keep
        something of it reads it before and saves it after.
        """
        ...


class CustomerRepository(Protocol):
    """The one door to personal fields."""

    def prepare(self, refs: Collection[str]) -> None:
        """Read many at once, before they are asked for one by one."""
        ...

    def get(self, ref: str) -> Customer | None:
        """Return the person whom *ref* belongs to, put together from all ids that are theirs."""
        ...

    def profile(self, customer_id: str) -> Customer | None:
        """Return what was told of this one id."""
        ...

    def save(self, customer: Customer) -> None:
        """Keep what was told of one id."""
        ...

    def ids_after(self, customer_id: str, limit: int) -> list[str]:
        """Return the next *limit* ids that are not erased, in their own order."""
        ...


class CartRepository(Protocol):
    def prepare(self, cart_ids: Collection[str]) -> None:
        """Read many at once, before they are asked for one by one."""
        ...

    def get(self, cart_id: str) -> Cart | None:
        """Return the cart; its customer is the person it belongs to, known by name or by the browser."""
        ...

    def record(self, cart_id: str) -> Cart | None:
        """Return the cart with the customer id that was told."""
        ...

    def save(self, cart: Cart) -> None: ...
    def of_customer(self, customer_id: str) -> list[Cart]:
        """Return the person's carts, the one that rested longest first."""
        ...

    def of_anonymous(self, anonymous_id: str) -> list[Cart]: ...


class OrderRepository(Protocol):
    def prepare(self, order_ids: Collection[str]) -> None:
        """Read many at once, before they are asked for one by one."""
        ...

    def get(self, order_id: str) -> Order | None:
        """Return the order, None unless it is known to be placed."""
        ...

    def told(self, order_id: str) -> Told:
        """Return what was told of an order, placed or not yet."""
        ...

    def save(self, order: Order) -> None: ...
    def save_early(self, order_id: str, told: Told) -> None:
        """Keep what was told of an order that nobody has placed yet."""
        ...

    def of_cart(self, cart_id: str) -> Order | None:
        """Return the first order from this cart, or from this checkout."""
        ...

    def buyers_after(self, customer_id: str, since: datetime, limit: int) -> list[str]:
        """Return the next *limit* ids, in their own order, under which somebody ordered after *since*."""
        ...

    def of_customer(self, customer_id: str) -> list[Order]:
        """Return the person's orders, oldest first.

        Also those placed as a guest, from a cart or in a browser that is now known to be theirs.
        """
        ...

    def of_customers(self, customer_ids: Collection[str]) -> dict[str, list[Order]]:
        """Return the same of each of these ids, in as many statements as it takes for one."""
        ...


class PaymentRepository(Protocol):
    def get(self, payment_id: str) -> Payment | None: ...
    def save(self, payment: Payment) -> None: ...
    def of_order(self, order_id: str) -> list[Payment]: ...


class ProductRepository(Protocol):
    def prepare(self, skus: Collection[str]) -> None:
        """Read many at once, before they are asked for one by one."""
        ...

    def get(self, sku: str) -> Product | None: ...
    def save(self, product: Product) -> None: ...


class ProductViewRepository(Protocol):
    """Who looked at what, the newest views of each."""

    def of_viewer(self, kind: Literal["customer", "anonymous"], viewer_id: str) -> list[ProductView]:
        """Return what was seen under this one id."""
        ...

    def save(self, kind: Literal["customer", "anonymous"], viewer_id: str, views: Iterable[ProductView]) -> None: ...
    def of_customer(self, customer_id: str, limit: int) -> list[ProductView]:
        """Return what the person looked at, the newest first."""
        ...


class EnrolmentRepository(Protocol):
    def prepare(self, enrolment_ids: Collection[str]) -> None:
        """Read many at once, before they are asked for one by one."""
        ...

    def get(self, enrolment_id: str) -> Enrolment | None: ...
    def save(self, enrolment: Enrolment) -> None: ...
    def newest(self, journey: str, business_key: str) -> Enrolment | None:
        """Return the last enrolment made for the key, live or ended."""
        ...

    def live_by_key(self, journey: str, business_key: str) -> Enrolment | None: ...
    def live_of_customer(self, journey: str, customer_id: str) -> list[Enrolment]:
        """Return the person's in one journey, under whichever of their ids."""
        ...

    def live_of_person(self, customer_id: str) -> list[Enrolment]:
        """Return the person's in any journey."""
        ...

    def of_customer(self, customer_id: str) -> list[Enrolment]:
        """Return all of the person, live or ended, the first at the top."""
        ...

    def live_of_cart(self, cart_id: str) -> list[Enrolment]: ...
    def waiting(self, wave: Wave, limit: int) -> list[Enrolment]:
        """Return the next *limit* of those whom *wave* goes through, who waited longest first."""
        ...

    def count_by_state(self) -> dict[tuple[str, str], int]:
        """Return how many there are per (state, outcome or "")."""
        ...


class EngineMessageQueue(Protocol):
    """Engine messages decided on in the same transaction as the state that calls for them."""

    def add(self, message: EngineMessage, at: datetime) -> None:
        """Queue *message*; a (name, message id) queued before is queued again, since repeats are harmless."""
        ...

    def add_all(self, messages: Sequence[EngineMessage], at: datetime) -> None:
        """Do as `add` does with each."""
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
    def refused(self, limit: int) -> list[RefusedMessage]:
        """Return those that the engine refused and nobody sent again, oldest first."""
        ...

    def send_again(self, queue_id: int, at: datetime) -> bool:
        """Queue one again that the engine refused; False: there is none."""
        ...

    def count_due(self) -> int: ...
    def is_crowded(self, most: int) -> bool:
        """Say whether more than *most* wait to be published."""
        ...


class WaveRepository(Protocol):
    """The waves that have not reached everybody yet."""

    def oldest(self) -> Wave | None:
        """Return the one to go on with; others that ask wait until this transaction ends."""
        ...

    def is_any(self, sku: str | None = None) -> bool:
        """Say whether there is one, of any product or of this."""
        ...

    def save(self, wave: Wave) -> None: ...
    def drop(self, wave_id: int) -> None: ...
    def count(self) -> int: ...
    def oldest_at(self) -> datetime | None:
        """Return when the first of them began."""
        ...


class MessageRepository(Protocol):
    def prepare(self, message_ids: Collection[str]) -> Sequence[Message]:
        """Read many at once, before they are asked for one by one."""
        ...

    def prepare_steps(self, steps: Collection[tuple[str, str]]) -> Sequence[Message]:
        """Do the same by (enrolment id, step)."""
        ...

    def prepare_left(self, customer_ids: Collection[str], since: datetime) -> None:
        """Read for many persons at once what `count_left_since` counts from *since*, or a later time, on."""
        ...

    def get(self, enrolment_id: str, step: str) -> Message | None: ...
    def by_id(self, message_id: str) -> Message | None: ...
    def save(self, message: Message) -> None: ...
    def of_enrolment(self, enrolment_id: str) -> list[Message]: ...
    def written_among(self, enrolment_ids: Collection[str]) -> set[str]:
        """Return those of the enrolments for whom a message is planned, under way or sent."""
        ...

    def open_of_enrolment(self, enrolment_id: str) -> list[Message]:
        """Return those that are in no final state."""
        ...

    def count_left_since(self, customer_id: str, purpose: str, channel: str, since: datetime, *, but: str) -> int:
        """Count messages to the person, *but* the one of that id, that left after *since*, may have or are about to."""
        ...

    def of_customer(self, customer_id: str) -> list[Message]:
        """Return all to the person, the one planned first at the top."""
        ...

    def note_click(self, message_id: str, at: datetime) -> None:
        """Keep when a link in it was followed, if this was before any other click or is the first."""
        ...

    def count_sent_and_clicked(self, customer_id: str, purpose: str, since: datetime) -> tuple[int, int]:
        """Count the person's messages that left, and those whose links were followed, after *since*."""
        ...

    def readers_after(self, customer_id: str, limit: int) -> list[str]:
        """Return the next *limit* ids, in their own order, to which advertising was planned."""
        ...

    def unengaged_among(self, customer_ids: Collection[str], since: datetime, least: int) -> list[str]:
        """Return those to whom *least* advertisements or more left after *since*, and who followed no link in any."""
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
    def prepare(self, codes: Collection[str]) -> None:
        """Read many at once, before they are asked for one by one."""
        ...

    def get(self, coupon_id: str) -> Coupon | None: ...
    def of_step(self, enrolment_id: str, step: str) -> Coupon | None: ...
    def of_enrolment(self, enrolment_id: str) -> list[Coupon]: ...
    def by_code(self, code: str) -> Coupon | None: ...
    def of_customers(self, customer_ids: Collection[str]) -> list[Coupon]:
        """Return the coupons made for any of these ids, the oldest first."""
        ...

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


class EffectRepository(Protocol):
    def get(self, enrolment_id: str, step: str) -> Effect | None: ...
    def by_id(self, effect_id: str) -> Effect | None: ...
    def save(self, effect: Effect) -> None: ...
    def of_enrolment(self, enrolment_id: str) -> list[Effect]: ...
    def of_customers(self, customer_ids: Collection[str]) -> list[Effect]:
        """Return the effects for any of these ids, the oldest first."""
        ...

    def in_doubt(self) -> list[Effect]:
        """Return all in doubt, the one handed over first at the top."""
        ...


class OccasionRuns(Protocol):
    """On which days occasions were looked for, and by whom of several processes."""

    def begin(self, day: str, at: datetime, stale_before: datetime) -> bool:
        """Take on a day; False if it is done, or somebody began it after *stale_before*."""
        ...

    def finish(self, day: str, at: datetime) -> None: ...


class LoyaltyRepository(Protocol):
    def prepare(self, customer_ids: Collection[str]) -> None:
        """Read many persons' at once, before they are asked for one by one."""
        ...

    def save(self, entry: LoyaltyEntry) -> None:
        """Keep what one event said; the same event again changes nothing."""
        ...

    def of_customer(self, customer_id: str) -> list[LoyaltyEntry]:
        """Return all entries of the person, the oldest first."""
        ...


class AudienceRepository(Protocol):
    def get(self, enrolment_id: str) -> Membership | None: ...
    def save(self, membership: Membership) -> None: ...
    def left_behind(self, limit: int) -> list[Membership]:
        """Return memberships that outlived their journey."""
        ...


class AuditLog(Protocol):
    """Append-only, numbered from 1 without gaps; each row holds a hash of itself and of all before it."""

    def add(self, entry: AuditEntry) -> None: ...
    def of_subject(self, subject: str) -> list[AuditEntry]: ...
    def page(
        self, after: int, limit: int, *, subject: str | None = None, since: datetime | None = None
    ) -> list[ChainedEntry]:
        """Return the first *limit* entries after the one numbered *after*."""
        ...

    def newest(self, limit: int) -> list[ChainedEntry]:
        """Return the last *limit* entries, the newest at the end."""
        ...

    def head(self) -> AuditHead | None:
        """Return where the log says that it ends, or None if nothing was ever added."""
        ...


class Transaction(Protocol):
    """The repositories, all within one transaction."""

    @property
    def person_keys(self) -> PersonKeys: ...
    @property
    def events(self) -> EventLog: ...
    @property
    def keys(self) -> KeyRepository: ...
    @property
    def people(self) -> PersonRepository: ...
    @property
    def identities(self) -> IdentityRepository: ...
    @property
    def state(self) -> StateRepository: ...
    @property
    def customers(self) -> CustomerRepository: ...
    @property
    def consents(self) -> ConsentRepository: ...
    @property
    def consent_texts(self) -> ConsentTexts: ...
    @property
    def restrictions(self) -> RestrictionRepository: ...
    @property
    def suppressions(self) -> SuppressionRepository: ...
    @property
    def carts(self) -> CartRepository: ...
    @property
    def orders(self) -> OrderRepository: ...
    @property
    def payments(self) -> PaymentRepository: ...
    @property
    def products(self) -> ProductRepository: ...
    @property
    def product_views(self) -> ProductViewRepository: ...
    @property
    def enrolments(self) -> EnrolmentRepository: ...
    @property
    def engine_messages(self) -> EngineMessageQueue: ...
    @property
    def waves(self) -> WaveRepository: ...
    @property
    def messages(self) -> MessageRepository: ...
    @property
    def links(self) -> LinkRepository: ...
    @property
    def coupons(self) -> CouponRepository: ...
    @property
    def effects(self) -> EffectRepository: ...
    @property
    def loyalty(self) -> LoyaltyRepository: ...
    @property
    def audiences(self) -> AudienceRepository: ...
    @property
    def occasion_runs(self) -> OccasionRuns: ...
    @property
    def outcomes(self) -> OutcomeLog: ...
    @property
    def streams(self) -> Streams: ...
    @property
    def bulk_reads(self) -> BulkReads: ...
    @property
    def audit(self) -> AuditLog: ...
    @property
    def quarantine(self) -> Quarantine: ...
    @property
    def pulling(self) -> PullingRepository: ...
    @property
    def privacy_requests(self) -> PrivacyRequests: ...
    @property
    def one_time_links(self) -> OneTimeLinks: ...
    @property
    def exports(self) -> Exports: ...
    @property
    def transfers(self) -> TransferRegister: ...
    @property
    def legal_holds(self) -> LegalHolds: ...
    @property
    def retention_runs(self) -> RetentionRuns: ...
    @property
    def personal_data(self) -> PersonalData: ...
    @property
    def deliveries(self) -> Deliveries: ...
    @property
    def versions(self) -> VersionRepository: ...
    @property
    def pauses(self) -> PauseRepository: ...
    @property
    def segments(self) -> SegmentReads: ...
    @property
    def campaigns(self) -> CampaignRepository: ...
    @property
    def approvals(self) -> ApprovalRepository: ...
    @property
    def console_sessions(self) -> ConsoleSessions: ...


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


class QuickReads(Protocol):
    """For a few rows by their keys, where the way to another thread and back would cost more than they do."""

    async def look(self, work: Callable[[Transaction], T]) -> T:
        """Run *work* as `UnitOfWork.read` does, on the spot if the database is at hand."""
        ...
