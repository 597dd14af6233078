"""Tell a store what happened, through the one door and the relay, and read what came of it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from functools import cache
from typing import Any

import msgspec

from waggle.domain.coupon import Coupon
from waggle.domain.enrolment import Enrolment
from waggle.domain.event import CartItem
from waggle.domain.message import Message
from waggle.domain.quiet_hours import QuietHours
from waggle.ports.email import EmailSender
from waggle.ports.journey_engine import JourneyEngine
from waggle.ports.unit_of_work import UnitOfWork
from waggle.resources import shipped
from waggle.services.catalogue import load_catalogue
from waggle.services.composing import Composer, Sender
from waggle.services.enrolling import Enrolling
from waggle.services.freshness import Refresher
from waggle.services.intake import Intake
from waggle.services.journeys import EntrySettings, JourneyBook, JourneySettings, load_journeys
from waggle.services.message_checks import SendingPolicy
from waggle.services.relay import Relay
from waggle.services.rendering import MessageTemplates
from waggle.services.sending import Sending
from waggle.testing.clock import HandClock

JOURNEY = "abandoned-cart"
NEVER_QUIET = QuietHours(time(0), time(0))
SOURCE = "shop"

HONEY = CartItem(sku="honey", quantity=2, unit_price_minor=1000, name="Honey")
WAX = CartItem(sku="wax", quantity=1, unit_price_minor=500, name="Wax")


def book(
    *,
    cool_down: timedelta = timedelta(days=7),
    holdout_percent: int = 0,
    order_ends_other_carts: bool = True,
    settings: Mapping[str, str] | None = None,
    enabled: Collection[str] = (),
) -> JourneyBook:
    """Return settings of the abandoned cart's journey; nobody is held out unless said. The others are as shipped.

    *enabled*: further journeys that are switched on.
    """
    others = load_journeys(shipped("config"))
    return JourneyBook(
        {
            **{name: others.of(name) for name in others.names},
            **{name: _switched_on(others.of(name)) for name in enabled},
            JOURNEY: JourneySettings(
                settings=dict(settings or {"cart_idle": "PT20M"}),
                entry=EntrySettings(cool_down=cool_down, holdout_percent=holdout_percent),
                exits={"order_ends_other_carts": order_ends_other_carts},
            ),
        }
    )


def _switched_on(journey: JourneySettings) -> JourneySettings:
    entry = msgspec.structs.replace(journey.entry, enabled=True, holdout_percent=0)
    return msgspec.structs.replace(journey, entry=entry)


def event(event_type: str, event_id: str, data: Mapping[str, Any], at: datetime, **changes: object) -> dict[str, Any]:
    """Return a CloudEvents envelope."""
    return {
        "specversion": "1.0",
        "id": event_id,
        "type": event_type,
        "time": at.isoformat(),
        "data": dict(data),
        **changes,
    }


@dataclass
class Shop:
    """A shop's events on their way to projections and engine; ids count up, times are the clock's."""

    store: UnitOfWork
    clock: HandClock
    relay: Relay
    told: int = 0

    async def send(self, event_type: str, data: Mapping[str, Any], *, at: datetime | None = None) -> str:
        """Put one event into the inbox, not further, and return its id."""
        self.told += 1
        event_id = f"{event_type}-{self.told}"
        await self.accept(event(event_type, event_id, data, at or self.clock.now()))
        return event_id

    async def accept(self, item: Mapping[str, Any]) -> None:
        """Put one envelope into the inbox."""
        [receipt] = await Intake(self.store, self.clock).accept(SOURCE, [dict(item)])
        assert receipt.status != "refused", receipt

    async def tell(self, event_type: str, data: Mapping[str, Any], *, at: datetime | None = None) -> str:
        """Put one event into the inbox, apply it, and return its id."""
        event_id = await self.send(event_type, data, at=at)
        await self.relay.apply_events()
        return event_id

    async def customer(self, customer_id: str = "c-1", **told: object) -> None:
        """A customer who can be written to and agrees to it."""
        known = {"email": f"{customer_id}@example.com", "first_name": "Ada", "time_zone": "UTC", **told}
        await self.send("customer-identified", {"customer_id": customer_id, **known})
        await self.tell("consent-given", {"customer_id": customer_id})

    async def cart(
        self,
        cart_id: str = "cart-1",
        customer_id: str | None = "c-1",
        items: Sequence[CartItem] = (HONEY,),
        *,
        at: datetime | None = None,
        currency: str = "EUR",
    ) -> None:
        """The cart as it is now."""
        lines = [
            {"sku": i.sku, "quantity": i.quantity, "unit_price_minor": i.unit_price_minor, "name": i.name}
            for i in items
        ]
        data: dict[str, Any] = {"cart_id": cart_id, "currency": currency, "items": lines}
        if customer_id is not None:
            data["customer_id"] = customer_id
        await self.tell("cart-updated", data, at=at)

    async def order(self, order_id: str = "o-1", *, at: datetime | None = None, **data: object) -> None:
        """An order of 20.00."""
        await self.tell("order-placed", {"order_id": order_id, "currency": "EUR", "total_minor": 2000, **data}, at=at)

    async def enrolment(self, cart_id: str = "cart-1") -> Enrolment:
        """Return the newest enrolment of a cart."""
        found = await self.store.read(lambda tx: tx.enrolments.newest(JOURNEY, cart_id))
        assert found is not None
        return found

    async def message(self, enrolment_id: str, step: str = "first-mail") -> Message:
        """Return the message of a step."""
        found = await self.store.read(lambda tx: tx.messages.get(enrolment_id, step))
        assert found is not None
        return found


def shop(store: UnitOfWork, clock: HandClock, engine: JourneyEngine, journeys: JourneyBook | None = None) -> Shop:
    """Return a shop before an empty house, with the catalogue as it is shipped."""
    enrolling = Enrolling(load_catalogue(shipped("bpmn")), journeys or book())
    return Shop(store, clock, Relay(store, engine, enrolling, clock))


def policy(**changes: object) -> SendingPolicy:
    """Return rules under which, unless said, it is never quiet and everybody gets one message in 20 hours."""
    rules: dict[str, Any] = {
        "quiet_hours": NEVER_QUIET,
        "default_time_zone": "UTC",
        "cap_messages": 1,
        "cap_window": timedelta(hours=20),
        "message_valid_for": timedelta(days=1),
    }
    return SendingPolicy(**(rules | changes))


def coupon(enrolment_id: str, now: datetime) -> Coupon:
    """Return a coupon that is set aside: `coupon-1` of `cart-10`, with the code AAAA-BBBB-CCCC, worth 2.00 at most."""
    return Coupon(
        coupon_id="coupon-1",
        enrolment_id=enrolment_id,
        step="coupon",
        campaign="cart-10",
        code="AAAA-BBBB-CCCC",
        percent=10,
        cost_minor=200,
        customer_id="c-1",
        state="reserved",
        reserved_at=now,
        expires_at=now + timedelta(days=7),
    )


LEASE = timedelta(seconds=120)
"""What `sending` leases a message for."""


def sending(
    store: UnitOfWork,
    clock: HandClock,
    sender: EmailSender,
    rules: SendingPolicy | None = None,
    refresher: Refresher | None = None,
) -> Sending:
    """Return the sending service with the messages as they are shipped."""
    shop_name = Sender(
        shop_name="Hive & Honey",
        sender="Hive & Honey <hello@shop.example>",
        list_id="news.shop.example",
        postal_address="1 Meadow Lane",
        shop_url="https://shop.example",
        public_url="https://go.shop.example",
        default_time_zone="UTC",
    )
    composer = Composer(_templates(), shop_name)
    return Sending(store, sender, composer, rules or policy(), clock, lease=LEASE, refresher=refresher)


@cache
def _templates() -> MessageTemplates:
    return MessageTemplates.load(shipped("config") / "messages")
