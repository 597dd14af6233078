"""Read a journey's customer: what speaks for writing to them, how often, and on which channel."""

from dataclasses import dataclass
from datetime import timedelta

from waggle.domain.consent import PROFILING, is_given
from waggle.domain.customer import Customer
from waggle.domain.enrolment import Enrolment
from waggle.domain.loyalty import account_of
from waggle.domain.message import MARKETING
from waggle.errors import PermanentFailure
from waggle.ports.clock import Clock
from waggle.ports.unit_of_work import Transaction, UnitOfWork
from waggle.services.catalogue import Catalogue
from waggle.services.consents import address_suppression, objects, restricted
from waggle.services.journeys import JourneyBook
from waggle.services.suppressing import standing_suppression

_WINDOW = timedelta(days=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerReading:
    """Small scalars only; nothing here says who it is."""

    order_count: int = 0
    """Without those that were cancelled or came back."""
    days_since_order: int | None = None
    messages_30_days: int = 0
    """Marketing messages that left in the last 30 days."""
    clicks_30_days: int = 0
    """Of marketing messages, those with a link that was followed in the last 30 days."""
    email_allowed: bool = False
    sms_allowed: bool = False
    push_allowed: bool = False
    tier: str | None = None
    """Level of the loyalty programme."""
    other_priority: int | None = None
    """The highest priority among the customer's other journeys that advertise; None: they are in no other."""
    own_priority: int


class CustomerReader:
    """Answers with what is known at this moment."""

    def __init__(self, store: UnitOfWork, catalogue: Catalogue, journeys: JourneyBook, clock: Clock) -> None:
        self._store = store
        self._catalogue = catalogue
        self._journeys = journeys
        self._clock = clock

    async def read(self, enrolment_id: str) -> CustomerReading:
        """Say how the customer stands; of one who is not known, nothing is allowed.

        Raises:
            PermanentFailure: ENROLMENT_UNKNOWN.
        """

        def look(tx: Transaction) -> CustomerReading:
            enrolment = tx.enrolments.get(enrolment_id)
            if enrolment is None:
                raise PermanentFailure("ENROLMENT_UNKNOWN", enrolment_id)
            own_priority = self._journeys.of(enrolment.journey).entry.priority
            if enrolment.customer_id is None:
                return CustomerReading(own_priority=own_priority)
            return self._read(tx, enrolment, enrolment.customer_id, own_priority)

        return await self._store.read(look)

    def _read(self, tx: Transaction, enrolment: Enrolment, person: str, own_priority: int) -> CustomerReading:
        now = self._clock.now()
        customer = tx.customers.get(person)
        # Who objects to being looked at is taken for somebody of whom nothing is known (GDPR Art. 21).
        looked_at = not objects(tx, person, PROFILING) and not restricted(tx, person)
        orders = [order for order in tx.orders.of_customer(person) if order.counts] if looked_at else []
        sent, clicked = tx.messages.count_sent_and_clicked(person, MARKETING.name, now - _WINDOW)
        return CustomerReading(
            order_count=len(orders),
            days_since_order=(now - orders[-1].placed_at).days if orders else None,
            messages_30_days=sent,
            clicks_30_days=clicked if looked_at else 0,
            email_allowed=self._may(tx, customer, "email"),
            sms_allowed=self._may(tx, customer, "sms"),
            push_allowed=self._may(tx, customer, "push"),
            tier=account_of(tx.loyalty.of_customer(person)).tier if looked_at else None,
            other_priority=self._other_priority(tx, enrolment, person),
            own_priority=own_priority,
        )

    def _may(self, tx: Transaction, customer: Customer | None, channel: str) -> bool:
        """Say whether they can be reached there, agreed to it, and nothing stands against it."""
        if customer is None or customer.erased or restricted(tx, customer.customer_id):
            return False
        reachable = {"email": customer.email, "sms": customer.phone}.get(channel, customer.customer_id)
        if reachable is None:
            return False
        person, forgotten_at = customer.customer_id, customer.erased_at
        facts = tx.consents.facts(person, MARKETING.name, channel)
        facts = [fact for fact in facts if forgotten_at is None or fact.stated_at > forgotten_at]
        if not is_given(facts, self._clock.now()) or standing_suppression(tx, person, channel, facts) is not None:
            return False
        return channel != "email" or address_suppression(tx, reachable, channel, facts) is None

    def _other_priority(self, tx: Transaction, enrolment: Enrolment, person: str) -> int | None:
        advertising = self._catalogue.advertising
        others = {
            each.journey
            for each in tx.enrolments.live_of_person(person)
            if each.enrolment_id != enrolment.enrolment_id and each.journey in advertising
        }
        return max((self._journeys.of(journey).entry.priority for journey in others), default=None)
