"""Decide, in the transaction of an event, which journeys it starts, moves or ends."""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from datetime import datetime

from waggle.domain.cart import Cart
from waggle.domain.enrolment import Enrolment, is_held_out
from waggle.domain.event import FACTS, Event
from waggle.domain.money import Money
from waggle.domain.wave import Wave
from waggle.ports.journey_engine import EngineMessage, Scalar
from waggle.ports.unit_of_work import Transaction
from waggle.services.catalogue import Catalogue, CatalogueMessage, Entry, Receiver
from waggle.services.journeys import JourneyBook

_ABOUT_PERSONS = frozenset({"customer-identified", "customers-merged", "customers-split"})
"""Events that may make ids one person, or two."""
_LOOKED_AT_ONCE = 200
"""Of those who wait for one product; the others are told in transactions of their own, however many they are."""


class Enrolling:
    """Applies the catalogue and the journeys' settings to events."""

    def __init__(self, catalogue: Catalogue, journeys: JourneyBook) -> None:
        self._catalogue = catalogue
        self._journeys = journeys

    def react(self, tx: Transaction, event: Event, now: datetime) -> int:
        """Enrol, move and end as the catalogue says for *event*, which the projections already know.

        Return how many enrolments were looked at or made. Of many who wait for one product those first in line are told
        here, and a wave that is left in *tx* knows the others.
        """
        self._name(tx, event)
        event = _of_person(tx, _said_in_full(event))
        if event.type == "message-clicked":
            tx.messages.note_click(event.data["message_id"], event.time)
        caused = self._catalogue.caused_by(event.type)
        count = 0
        # First those who are there: an order that begins a journey must not end that one as well.
        for name, message in caused:
            for receiver in message.receivers:
                if receiver.scope == "sku":
                    count += self._begin_wave(tx, _wave(name, message, receiver, event, now), receiver, event)
                    continue
                for enrolment_id in sorted(self._told(tx, receiver, event)):
                    tx.engine_messages.add(_told_message(name, message, enrolment_id, event), now)
                    count += 1
        for name, message in caused:
            for entry in message.starts:
                enrolment = self._enrol(tx, entry, event, now)
                if enrolment is not None:
                    tx.engine_messages.add(_start_message(name, message, enrolment, event), now)
                    count += 1
        return count

    def tell_on(self, tx: Transaction, now: datetime) -> int:
        """Tell the next of the oldest wave, and return how many were looked at, at least 1; 0: there is no wave."""
        wave = tx.waves.oldest()
        if wave is None or wave.wave_id is None:
            return 0
        if wave.left is not None and _is_sold_out(tx, wave.sku):
            # The others are told when it comes back.
            tx.waves.drop(wave.wave_id)
            return 1
        looked_at, rest = _go_on(tx, wave, now)
        if rest is None:
            tx.waves.drop(wave.wave_id)
        else:
            tx.waves.save(rest)
        return max(looked_at, 1)

    def _begin_wave(self, tx: Transaction, wave: Wave | None, receiver: Receiver, event: Event) -> int:
        if wave is None or not receiver.admits(event.data) or not self._hears(receiver):
            return 0
        if tx.waves.is_any(wave.sku):
            # Nobody hears of this before they have heard of what was before it.
            tx.waves.save(wave)
            return 0
        looked_at, rest = _go_on(tx, wave, wave.until)
        if rest is not None:
            tx.waves.save(rest)
        return looked_at

    def _name(self, tx: Transaction, event: Event) -> None:
        """Give live enrolments the person whom the event made known, and that person's side of the hold-out."""
        for cart in _carts_named(tx, event):
            for enrolment in tx.enrolments.live_of_cart(cart.cart_id):
                self._give(tx, enrolment, cart.customer_id)
        if event.type in _ABOUT_PERSONS:
            for ref in {event.data.get("customer_id"), event.data.get("merged_customer_id")} - {None}:
                if _may_be_anothers(tx, event, str(ref)):
                    for enrolment in tx.enrolments.live_of_person(str(ref)):
                        self._give(tx, enrolment, _owner(tx, enrolment))

    def _give(self, tx: Transaction, enrolment: Enrolment, customer_id: str | None) -> None:
        if customer_id is not None and enrolment.customer_id != customer_id:
            held_out = self._is_held_out(enrolment.journey, customer_id)
            tx.enrolments.save(replace(enrolment, customer_id=customer_id, held_out=held_out))

    def _hears(self, receiver: Receiver) -> bool:
        return receiver.if_enabled is None or self._journeys.enabled(receiver.if_enabled)

    def _is_held_out(self, journey: str, person: str) -> bool:
        return is_held_out(journey, person, self._journeys.of(journey).entry.holdout_percent)

    def _enrol(self, tx: Transaction, entry: Entry, event: Event, now: datetime) -> Enrolment | None:
        key = entry.key_in(event.data)
        if key is None or not entry.admits(event.data) or not self._journeys.enabled(entry.journey):
            return None
        about = _about(event)
        if about.cart_id is not None and (_is_settled(tx, about.cart_id, event) or _is_taken(tx, about.cart_id, entry)):
            return None
        newest = tx.enrolments.newest(entry.journey, key)
        if newest is not None and (newest.live or self._cools_down(tx, newest, now)):
            return None
        if tx.pauses.of(entry.journey) is not None:
            tx.pauses.keep_out(entry.journey)
            return None
        customer_id = _customer(tx, entry.customer, event)
        enrolment = Enrolment(
            enrolment_id=str(uuid.uuid4()),
            journey=entry.journey,
            business_key=key,
            entry=1 if newest is None else newest.entry + 1,
            customer_id=customer_id,
            cart_id=about.cart_id,
            order_id=about.order_id,
            sku=about.sku,
            watched_price_minor=about.watched_price_minor,
            watched_currency=about.watched_currency,
            held_out=self._is_held_out(entry.journey, customer_id or key),
            state="entering",
            entered_at=now,
        )
        tx.enrolments.save(enrolment)
        return enrolment

    def _cools_down(self, tx: Transaction, ended: Enrolment, now: datetime) -> bool:
        cool_down = self._journeys.of(ended.journey).entry.cool_down
        if ended.ended_at is None or now >= ended.ended_at + cool_down:
            return False
        left = {"handed_over", "sent", "in_doubt"}
        return any(message.state in left for message in tx.messages.of_enrolment(ended.enrolment_id))

    def _told(self, tx: Transaction, receiver: Receiver, event: Event) -> Iterable[str]:
        """Return the live enrolments of one journey that *event* concerns."""
        if not receiver.admits(event.data) or not self._hears(receiver):
            return set()
        if receiver.scope == "customer_sku":
            return _theirs_about(tx, receiver, event)
        if receiver.scope == "message":
            message = tx.messages.by_id(str(event.data.get(receiver.message or "")))
            enrolment = tx.enrolments.get(message.enrolment_id) if message is not None else None
            concerned = enrolment is not None and enrolment.live and enrolment.journey == receiver.journey
            return {enrolment.enrolment_id} if enrolment is not None and concerned else set()
        told: set[str] = set()
        if receiver.scope == "business_key":
            key = receiver.key_in(event.data)
            enrolment = tx.enrolments.live_by_key(receiver.journey, key) if key is not None else None
            if enrolment is not None:
                told.add(enrolment.enrolment_id)
        widened = receiver.widened_if is None or self._journeys.of(receiver.journey).exits.get(
            receiver.widened_if, False
        )
        if receiver.scope == "customer" or (receiver.widened_to == "customer" and widened):
            customer_id = _customer(tx, receiver.customer, event)
            if customer_id is not None:
                told.update(e.enrolment_id for e in tx.enrolments.live_of_customer(receiver.journey, customer_id))
        return told


@dataclass(frozen=True, slots=True, kw_only=True)
class _About:
    """What an enrolment that an event makes is about."""

    cart_id: str | None
    order_id: str | None
    sku: str | None
    watched_price_minor: int | None
    watched_currency: str | None


def _about(event: Event) -> _About:
    data = event.data
    order_id = data.get("order_id")
    # What is about an order is no longer about the cart that it came from: an ordered cart silences its journeys.
    # A checkout that names no cart stands as one under its own id.
    cart_id = (data.get("cart_id") or data.get("checkout_id")) if order_id is None else None
    watched = event.type == "price-watch-created"
    return _About(
        cart_id=cart_id,
        order_id=order_id,
        sku=data.get("sku"),
        watched_price_minor=data["price_minor"] if watched else None,
        watched_currency=data["currency"] if watched else None,
    )


def _wave(name: str, message: CatalogueMessage, receiver: Receiver, event: Event, now: datetime) -> Wave | None:
    """Return what takes *event* to those who wait for its product; None: it is about none, or nobody may be told."""
    sku = event.data.get("sku")
    most = event.data.get(receiver.at_most) if receiver.at_most is not None else None
    if sku is None or (receiver.at_most is not None and (not isinstance(most, int) or most < 1)):
        return None
    return Wave(
        name=name,
        origin=_origin(event),
        journey=receiver.journey,
        sku=sku,
        time_to_live_s=message.time_to_live_s,
        variables=_variables(message, event),
        cheaper=receiver.cheaper,
        left=most,
        until=now,
    )


def _go_on(tx: Transaction, wave: Wave, now: datetime) -> tuple[int, Wave | None]:
    """Tell the next in line; return how many were looked at, and the wave as it goes on, or None if that was all."""
    waiting = tx.enrolments.waiting(wave, _LOOKED_AT_ONCE)
    # Who is being written to already takes no place from those who are not.
    written = tx.messages.written_among([each.enrolment_id for each in waiting]) if wave.left is not None else set()
    told = [
        each
        for each in waiting
        if each.enrolment_id not in written and (not wave.cheaper or _is_cheaper(tx, wave.sku, each.watched_price))
    ][: wave.left]
    tx.engine_messages.add_all([_wave_message(wave, each.enrolment_id) for each in told], now)
    left = None if wave.left is None else wave.left - len(told)
    if len(waiting) < _LOOKED_AT_ONCE or left == 0:
        return len(waiting), None
    last = waiting[-1]
    return len(waiting), replace(wave, left=left, after_at=last.entered_at, after_id=last.enrolment_id)


def _is_sold_out(tx: Transaction, sku: str) -> bool:
    product = tx.products.get(sku)
    return product is not None and not product.available


def _is_cheaper(tx: Transaction, sku: str, watched: Money | None) -> bool:
    """Say whether the product can be bought for less than somebody watches; by all that is known, not by this event."""
    product = tx.products.get(sku)
    return watched is not None and product is not None and product.available and product.is_cheaper_than(watched)


def _theirs_about(tx: Transaction, receiver: Receiver, event: Event) -> set[str]:
    """Return the customer's enrolments about a product that the event names, itself or among its items."""
    customer_id = _customer(tx, receiver.customer, event)
    if customer_id is None:
        return set()
    skus = {event.data.get("sku"), *(item["sku"] for item in event.data.get("items", ()))}
    theirs = tx.enrolments.live_of_customer(receiver.journey, customer_id)
    return {enrolment.enrolment_id for enrolment in theirs if enrolment.sku is not None and enrolment.sku in skus}


def _said_in_full(event: Event) -> Event:
    """Return *event* with what its type takes for said where it is left out, such as the purpose of a consent."""
    unsaid = {
        each.name: each.default
        for each in fields(FACTS[event.type])
        if isinstance(each.default, str) and each.name not in event.data
    }
    return replace(event, data={**event.data, **unsaid}) if unsaid else event


def _of_person(tx: Transaction, event: Event) -> Event:
    """Return *event* with the id that stands for its customer, so that who has two ids has one business key.

    An event about an order that does not say whose it is, is about whoever ordered.
    """
    customer_id = event.data.get("customer_id")
    person = tx.identities.resolve(customer_id) if customer_id is not None else _orderer(tx, event)
    if person == customer_id:
        return event
    return replace(event, data={**event.data, "customer_id": person})


def _orderer(tx: Transaction, event: Event) -> str | None:
    order_id = event.data.get("order_id")
    order = tx.orders.get(order_id) if order_id is not None else None
    if order is None or order.customer_id is not None or order.cart_id is None:
        return order.customer_id if order is not None else None
    cart = tx.carts.get(order.cart_id)
    return cart.customer_id if cart is not None else None


def _may_be_anothers(tx: Transaction, event: Event, ref: str) -> bool:
    return event.type == "customers-split" or len(tx.identities.all_of(ref)) > 1


def _owner(tx: Transaction, enrolment: Enrolment) -> str | None:
    """Return the person whom an enrolment concerns: of whom its cart is, since the enrolment may still name another."""
    cart = tx.carts.get(enrolment.cart_id) if enrolment.cart_id is not None else None
    if cart is not None and cart.customer_id is not None:
        return cart.customer_id
    return tx.identities.resolve(enrolment.customer_id) if enrolment.customer_id is not None else None


def _carts_named(tx: Transaction, event: Event) -> list[Cart]:
    """Return the carts whose customer *event* may have made known."""
    cart_id = event.data.get("cart_id")
    cart = tx.carts.get(cart_id) if cart_id is not None else None
    found = [cart] if cart is not None else []
    anonymous_id = event.data.get("anonymous_id")
    if event.type == "customer-identified" and anonymous_id is not None:
        found += tx.carts.of_anonymous(anonymous_id)
    return found


def _start_message(name: str, message: CatalogueMessage, enrolment: Enrolment, event: Event) -> EngineMessage:
    """Return the message that starts the journey of *enrolment*; its id is the enrolment's, so a repeat is refused."""
    return EngineMessage(
        name=name,
        enrolment_id=enrolment.enrolment_id,
        message_id=enrolment.enrolment_id,
        time_to_live_s=message.time_to_live_s,
        variables={**_variables(message, event), "enrolment_id": enrolment.enrolment_id},
    )


def _told_message(name: str, message: CatalogueMessage, enrolment_id: str, event: Event) -> EngineMessage:
    return EngineMessage(
        name=name,
        enrolment_id=enrolment_id,
        message_id=f"{_origin(event)}:{enrolment_id}",
        time_to_live_s=message.time_to_live_s,
        variables=_variables(message, event),
    )


def _wave_message(wave: Wave, enrolment_id: str) -> EngineMessage:
    return EngineMessage(
        name=wave.name,
        enrolment_id=enrolment_id,
        message_id=f"{wave.origin}:{enrolment_id}",
        time_to_live_s=wave.time_to_live_s,
        variables=wave.variables,
    )


def _origin(event: Event) -> str:
    # A source may be called anything; of its name and the event's only the hash goes to the engine.
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{event.source}:{event.id}"))


def _variables(message: CatalogueMessage, event: Event) -> dict[str, Scalar]:
    return {name: event.data[name] for name in message.variables if name in event.data}


def _customer(tx: Transaction, field: str | None, event: Event) -> str | None:
    """Return the customer that *event* names itself or through its cart."""
    named = event.data.get(field) if field is not None else None
    if named is None and (cart_id := event.data.get("cart_id")) is not None:
        cart = tx.carts.get(cart_id)
        named = cart.customer_id if cart is not None else None
    return named


def _is_taken(tx: Transaction, cart_id: str, entry: Entry) -> bool:
    """Say whether the cart is in a journey that outweighs that of *entry*."""
    return bool(entry.yields_to) and any(
        enrolment.journey in entry.yields_to for enrolment in tx.enrolments.live_of_cart(cart_id)
    )


def _is_settled(tx: Transaction, cart_id: str, event: Event) -> bool:
    """An order for the cart outweighs it, also one that came first; an older picture of the cart tells nothing new."""
    if tx.orders.of_cart(cart_id) is not None:
        return True
    cart = tx.carts.get(cart_id)
    return cart is not None and event.time < cart.last_activity_at
