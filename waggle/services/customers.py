"""What is known of one person, with where each word came from; and people's word on who is one person."""

import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from waggle.domain.cart import Cart
from waggle.domain.consent import ConsentFact
from waggle.domain.customer import FIELDS, Customer
from waggle.domain.event import CustomerIdentified, Receipt, personal_fields
from waggle.domain.identity import MergeWord
from waggle.domain.order import STEPS, Order
from waggle.domain.telling import Telling, Told, standing
from waggle.errors import PermanentFailure, Rejected
from waggle.ports.clock import Clock
from waggle.ports.unit_of_work import AuditEntry, Transaction, UnitOfWork
from waggle.services.intake import Intake
from waggle.services.keys import OWN_SOURCE
from waggle.services.own_words import refuse_personal
from waggle.services.privacy_requests import NOBODY_HAS_THIS_ID

_PERSONAL = personal_fields(CustomerIdentified)
_VIEWS_SHOWN = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Who told a field, in which event and when."""

    source: str
    """Empty: told before origins were noted."""
    event_id: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldLine:
    name: str
    value: Any
    """Of personal fields only as much as one needs to know them again, unless they were asked to be revealed."""
    origin: Origin
    overruled: list[Origin]
    """Of other sources that told something of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityLine:
    kind: str
    value: str
    customer_id: str
    source: str
    first_seen_at: datetime
    last_seen_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class MergeLine:
    customer_id: str
    merged_customer_id: str
    merged: bool
    at: datetime
    source: str
    event_id: str
    undone_at: datetime | None
    """When somebody said the opposite."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ThingLine:
    """A cart, an order or a payment."""

    id: str
    state: str
    at: datetime | None
    fields: list[FieldLine]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentLine:
    purpose: str
    channel: str
    state: str
    stated_at: datetime
    customer_id: str
    source: str | None
    mechanism: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EnrolmentLine:
    enrolment_id: str
    journey: str
    business_key: str
    state: str
    held_out: bool
    entered_at: datetime
    outcome: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageLine:
    message_id: str
    step: str
    channel: str
    purpose: str
    state: str
    reason: str
    planned_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerPage:
    """Everything that is known of one person."""

    customer_id: str
    other_ids: list[str]
    erased_at: datetime | None
    identified_at: datetime | None
    fields: list[FieldLine]
    identities: list[IdentityLine]
    merges: list[MergeLine]
    consents: list[ConsentLine]
    carts: list[ThingLine]
    orders: list[ThingLine]
    payments: list[ThingLine]
    enrolments: list[EnrolmentLine]
    messages: list[MessageLine]
    viewed: list[tuple[str, datetime]]
    """The products looked at last, the newest first."""


class CustomerDesk:
    """For people who look somebody up, or know that two ids are one person."""

    def __init__(self, store: UnitOfWork, intake: Intake, clock: Clock) -> None:
        self._store = store
        self._intake = intake
        self._clock = clock

    async def show(self, ref: str) -> CustomerPage:
        """Return what is known of the person of *ref*: a customer id, an anonymous id or an e-mail address.

        Personal values are masked.

        Raises:
            PermanentFailure: CUSTOMER_UNKNOWN.
        """
        return await self._store.read(lambda tx: _page(tx, ref, masked))

    async def reveal(self, ref: str, *, by: str, why: str) -> CustomerPage:
        """Return the same unmasked, and keep in the audit log who saw it.

        Raises:
            PermanentFailure: CUSTOMER_UNKNOWN.
            Rejected: WORDS_REFUSED, *why* looks like an address or a phone number.
        """
        refuse_personal("why", why)

        def look(tx: Transaction) -> CustomerPage:
            page = _page(tx, ref, lambda _name, value: value)
            entry = AuditEntry(
                at=self._clock.now(), actor=by, action="customer-revealed", subject=page.customer_id, why=why
            )
            tx.audit.add(entry)
            return page

        return await self._store.run(look)

    async def merge(self, customer_id: str, merged_customer_id: str, *, by: str, why: str) -> str:
        """Say that two ids are one person, for whom *customer_id* stands; return the id of the event.

        Raises:
            PermanentFailure: MERGE_REFUSED, the two ids are one, or one is no id.
            Rejected: CUSTOMER_UNKNOWN, nothing was ever told under one of them; WORDS_REFUSED, as for `reveal`.
        """
        return await self._say("customers-merged", customer_id, merged_customer_id, by, why)

    async def split(self, customer_id: str, merged_customer_id: str, *, by: str, why: str) -> str:
        """Say that two ids are not one person, whatever they share; return the id of the event.

        Raises:
            PermanentFailure: MERGE_REFUSED, the two ids are one, or one is no id.
            Rejected: CUSTOMER_UNKNOWN, nothing was ever told under one of them; WORDS_REFUSED, as for `reveal`.
        """
        return await self._say("customers-split", customer_id, merged_customer_id, by, why)

    async def _say(self, event_type: str, customer_id: str, other: str, by: str, why: str) -> str:
        refuse_personal("why", why)
        if customer_id == other:
            raise PermanentFailure("MERGE_REFUSED", f"{customer_id} is one id; name two")
        await self._store.read(partial(_refuse_unknown, customer_id, other))
        now = self._clock.now()
        event_id = str(uuid.uuid4())
        item = {
            "specversion": "1.0",
            "id": event_id,
            "type": event_type,
            "subject": customer_id,
            "time": now.isoformat(),
            "data": {"customer_id": customer_id, "merged_customer_id": other},
        }

        def note(tx: Transaction, receipts: Sequence[Receipt]) -> None:
            if receipts[0].problem is None:
                detail = {"merged_customer_id": other, "event_id": event_id}
                tx.audit.add(
                    AuditEntry(at=now, actor=by, action=event_type, subject=customer_id, why=why, detail=detail)
                )

        [receipt] = await self._intake.accept(OWN_SOURCE, [item], also=note)
        if receipt.problem is not None:
            raise PermanentFailure("MERGE_REFUSED", f"{receipt.problem.where}: {receipt.problem.detail}")
        return event_id


def _refuse_unknown(customer_id: str, other: str, tx: Transaction) -> None:
    for which, each in (("first", customer_id), ("second", other)):
        if not _is_known(tx, each):
            # Not repeated: it may be an address, given in the place of an id.
            raise Rejected("CUSTOMER_UNKNOWN", f"the {which} id: {NOBODY_HAS_THIS_ID}")


def _is_known(tx: Transaction, customer_id: str) -> bool:
    """Say whether anything was told of the customer, be it only what a guest ordered, or what is yet to be applied."""
    return bool(
        tx.customers.get(customer_id) is not None
        or tx.orders.of_customer(customer_id)
        or tx.carts.of_customer(customer_id)
        or tx.consents.of_customer(customer_id)
        or tx.events.any_pending([customer_id])
    )


def masked(name: str, value: Any) -> Any:  # noqa: ANN401 -- whatever a field holds
    """Return *value*, of a personal field only as much as one needs to know it again."""
    if name not in _PERSONAL or not isinstance(value, str):
        return value
    if name == "email":
        local, _, domain = value.rpartition("@")
        return f"{local[:1]}***@{domain}"
    if name == "phone":
        return f"{value[:3]}***{value[-2:]}"
    return f"{value[:1]}***" if name != "birth_date" else "***"


_Mask = Callable[[str, Any], Any]


def _page(tx: Transaction, ref: str, mask: _Mask) -> CustomerPage:
    customer = _found(tx, ref)
    person = customer.customer_id
    ids = tx.identities.all_of(person)
    orders = tx.orders.of_customer(person)
    payments = [payment for order in orders for payment in tx.payments.of_order(order.order_id)]
    return CustomerPage(
        customer_id=person,
        other_ids=[each for each in ids if each != person],
        erased_at=customer.erased_at,
        identified_at=customer.identified_at,
        fields=_fields(customer.told, FIELDS, mask),
        identities=_identities(tx, ids, mask),
        merges=_merges(word for each in ids for word in tx.identities.words_on(each)),
        consents=[_consent(fact) for fact in tx.consents.of_customer(person)],
        carts=[_cart(tx, cart) for cart in tx.carts.of_customer(person)],
        orders=[_order(order) for order in orders],
        payments=[
            ThingLine(
                id=each.payment_id,
                state=each.state or "",
                at=each.changed_at,
                fields=_fields(each.told, each.told, _plain),
            )
            for each in payments
        ],
        enrolments=[
            EnrolmentLine(
                enrolment_id=each.enrolment_id,
                journey=each.journey,
                business_key=each.business_key,
                state=each.state,
                held_out=each.held_out,
                entered_at=each.entered_at,
                outcome=each.outcome,
            )
            for each in tx.enrolments.of_customer(person)
        ],
        messages=[
            MessageLine(
                message_id=each.message_id,
                step=each.step,
                channel=each.channel,
                purpose=each.purpose,
                state=each.state,
                reason=each.reason,
                planned_at=each.planned_at,
            )
            for each in tx.messages.of_customer(person)
        ],
        viewed=[(view.sku, view.at) for view in tx.product_views.of_customer(person, _VIEWS_SHOWN)],
    )


def _found(tx: Transaction, ref: str) -> Customer:
    candidates = tx.identities.customers_with("email", ref) if "@" in ref else [ref]
    for each in candidates:
        customer = tx.customers.get(each)
        if customer is not None:
            return customer
    owner = tx.identities.owner_of(ref)
    customer = tx.customers.get(owner) if owner is not None else None
    if customer is None:
        raise PermanentFailure("CUSTOMER_UNKNOWN", "nobody is known under this id")
    return customer


def _plain(_name: str, value: Any) -> Any:  # noqa: ANN401 -- whatever a field holds
    return value


def _fields(told: Told, names: Iterable[str], mask: _Mask) -> list[FieldLine]:
    lines = []
    for name in names:
        counts = standing(told, name)
        if counts is not None:
            others = [_origin(each) for each in told[name] if each is not counts]
            lines.append(FieldLine(name=name, value=mask(name, counts.value), origin=_origin(counts), overruled=others))
    return lines


def _origin(telling: Telling) -> Origin:
    return Origin(source=telling.source, event_id=telling.event_id, at=telling.at)


def _identities(tx: Transaction, ids: Iterable[str], mask: _Mask) -> list[IdentityLine]:
    lines = []
    for customer_id in ids:
        profile = tx.customers.profile(customer_id)
        clear = _in_the_clear(tx, profile) if profile is not None else {}
        lines += [
            IdentityLine(
                kind=claim.kind,
                value=mask(claim.kind, clear.get(claim.value, claim.value)),
                customer_id=customer_id,
                source=claim.source,
                first_seen_at=claim.first_seen_at,
                last_seen_at=claim.last_seen_at,
            )
            for claim in tx.identities.claims_of(customer_id)
        ]
    return lines


def _in_the_clear(tx: Transaction, profile: Customer) -> Mapping[str, str]:
    """Return the addresses and numbers that were told, by the value under which their claims are kept."""
    return {
        tx.identities.blind(kind, telling.value): telling.value
        for kind in ("email", "phone")
        for telling in profile.told.get(kind, ())
    }


def _merges(words: Iterable[MergeWord]) -> list[MergeLine]:
    ordered = sorted({(word.at, word.source, word.event_id): word for word in words}.items())
    history = [word for _, word in ordered]
    return [
        MergeLine(
            customer_id=word.customer_id,
            merged_customer_id=word.merged_customer_id,
            merged=word.merged,
            at=word.at,
            source=word.source,
            event_id=word.event_id,
            undone_at=next(
                (later.at for later in history[place:] if later.pair == word.pair and later.merged != word.merged), None
            ),
        )
        for place, word in enumerate(history)
    ]


def _consent(fact: ConsentFact) -> ConsentLine:
    return ConsentLine(
        purpose=fact.purpose,
        channel=fact.channel,
        state=fact.state,
        stated_at=fact.stated_at,
        customer_id=fact.customer_id,
        source=fact.source,
        mechanism=fact.mechanism,
    )


def _cart(tx: Transaction, cart: Cart) -> ThingLine:
    ordered = tx.orders.of_cart(cart.cart_id) is not None
    state = "ordered" if ordered else "filled" if cart.items else "emptied"
    return ThingLine(
        id=cart.cart_id, state=state, at=cart.last_activity_at, fields=_fields(cart.told, cart.told, _plain)
    )


def _order(order: Order) -> ThingLine:
    names = ("placed", "customer_id", "anonymous_id", "cart_id", "checkout_id", *reversed(STEPS))
    return ThingLine(
        id=order.order_id, state=order.state, at=order.placed_at, fields=_fields(order.told, names, _plain)
    )
