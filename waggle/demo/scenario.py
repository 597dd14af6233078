"""What the shoppers of the demo do, drawn from a seed: the same words give the same three hours."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from enum import StrEnum
from typing import Any, Literal, TypedDict
from zoneinfo import ZoneInfo

Answer = Literal["accepted", "duplicate", "refused"]
Doing = Literal["click", "unsubscribe", "order"]

JOURNEY = "abandoned-cart"
TRAFFIC = timedelta(hours=3)
SHOP_ZONE = "Europe/Warsaw"
NIGHT_ZONE = "America/New_York"
"""While the shop has its three hours, it is night there."""
OPENS = time(9, 30)

_CODE = re.compile(r"\b[A-Z0-9]{4}(?:-[A-Z0-9]{4}){2}\b")
_ADDRESS = re.compile(r"https?://\S+")


class Kind(StrEnum):
    """What a shopper is there to show."""

    ABANDONED = "abandoned"
    EMPTIED = "emptied"
    ORDERED_IN_TIME = "ordered in time"
    ORDERED_AFTER_MAIL = "ordered after the mail"
    TWO_CARTS = "two carts"
    NO_CONSENT = "no consent"
    NO_CONTACT = "no contact"
    CONSENT_WITHDRAWN = "consent withdrawn"
    OUT_OF_STOCK = "out of stock"
    UNSUBSCRIBES = "unsubscribes"
    CLICKS = "clicks"
    ORDER_BEFORE_CART = "order before its cart"
    REPEATED_DELIVERY = "repeated delivery"
    LATE_EVENT = "late event"
    PRICE_CHANGE = "price change"
    OTHER_CART_ORDERED = "other cart ordered"
    LOW_VALUE = "low value"
    RETURNING = "returning"
    ASLEEP = "asleep"
    HELD_OUT = "held out"


@dataclass(frozen=True, slots=True)
class Action:
    """One event that the shop sends at `at`; those of one lane leave one after another.

    `event` is a CloudEvents envelope; its time differs from `at` where an event comes late or tells of years past.
    """

    at: datetime
    lane: str
    event: Mapping[str, Any]
    answer: Answer = "accepted"
    """What the door has to say to it."""
    unless_ordered: bool = False
    """Left out if the shopper has ordered the cart by then: nobody pays twice."""


@dataclass(frozen=True, slots=True)
class Reaction:
    """What a shopper does some time after a mail arrived: `to` 1 is the first mail to the address, 2 the second."""

    to: int
    do: Doing
    after: timedelta


@dataclass(frozen=True, slots=True)
class PlannedCart:
    """A cart at its fullest; what became of it is in the actions."""

    cart_id: str
    items: tuple[Mapping[str, Any], ...]

    @property
    def value_minor(self) -> int:
        """Sum of the lines, in cents."""
        return sum(item["quantity"] * item["unit_price_minor"] for item in self.items)


@dataclass(frozen=True, slots=True)
class Shopper:
    """One person in front of the shop; `customer_id` and `email` are None for whoever never said who they are."""

    number: int
    kind: Kind
    customer_id: str | None
    email: str | None
    time_zone: str
    carts: tuple[PlannedCart, ...] = ()
    reactions: tuple[Reaction, ...] = ()


@dataclass(frozen=True, slots=True)
class Scenario:
    """All shoppers, and the actions that are known beforehand, in the order of their times."""

    starts_at: datetime
    shoppers: tuple[Shopper, ...]
    actions: tuple[Action, ...]

    @property
    def ends_at(self) -> datetime:
        """When the traffic is over; reactions to mails come later still."""
        return self.starts_at + TRAFFIC

    def by_email(self) -> dict[str, Shopper]:
        """Return the shoppers who can be written to, by address."""
        return {shopper.email: shopper for shopper in self.shoppers if shopper.email}


@dataclass(frozen=True, slots=True)
class Deed:
    """What the shop really did and what it was told, one line of its journal. It names no person.

    `what` is the event's type, `click` or `unsubscribe`; `at` the time of the event or of the click.
    """

    shopper: int
    what: str
    at: datetime
    data: Mapping[str, Any]
    expected: Answer
    answer: str
    """One of Answer, or the status code of an answer that nobody foresaw."""

    def to_json(self) -> dict[str, Any]:
        """Return the line of the journal."""
        return {
            "shopper": self.shopper,
            "what": self.what,
            "at": self.at.isoformat(),
            "data": dict(self.data),
            "expected": self.expected,
            "answer": self.answer,
        }

    @staticmethod
    def from_json(line: Mapping[str, Any]) -> "Deed":
        """Read a line of the journal."""
        return Deed(**{**line, "at": datetime.fromisoformat(line["at"])})


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail as a shopper finds it in the mailbox."""

    to: str
    arrived_at: datetime
    """When the mail server accepted it, on the journeys' clock."""
    message_id: str
    text: str
    cart_url: str | None
    unsubscribe_url: str | None

    @property
    def codes(self) -> list[str]:
        """The coupon codes that it shows; the random part of an address may look like one."""
        return _CODE.findall(_ADDRESS.sub("", self.text))


class CartRow(TypedDict):
    """A cart as the database knows it at the end."""

    cart_id: str
    customer_id: str | None
    last_activity_at: datetime
    item_count: int


class OrderRow(TypedDict):
    """An order as the database knows it."""

    order_id: str
    cart_id: str | None
    customer_id: str | None
    placed_at: datetime
    total_minor: int


class EnrolmentRow(TypedDict):
    """One run of a cart through the journey."""

    enrolment_id: str
    cart_id: str | None
    state: str
    outcome: str | None
    outcome_reason: str | None
    entered_at: datetime


class MessageRow(TypedDict):
    """One message; held by quiet hours if `not_before_at` is later than `planned_at`."""

    enrolment_id: str
    step: str
    state: str
    reason: str
    planned_at: datetime
    not_before_at: datetime


class CouponRow(TypedDict):
    """One coupon; `state` is reversed where its budget was given back."""

    enrolment_id: str
    campaign: str
    code: str
    state: str
    cost_minor: int


@dataclass(frozen=True, slots=True)
class Facts:
    """What the database holds when the demo is over, and how many incidents the engine has."""

    carts: Sequence[CartRow]
    orders: Sequence[OrderRow]
    enrolments: Sequence[EnrolmentRow]
    messages: Sequence[MessageRow]
    coupons: Sequence[CouponRow]
    incidents: int


def next_opening(now: datetime) -> datetime:
    """Return when the shop opens next: 09:30 in Warsaw, Monday to Friday, not before *now*."""
    zone = ZoneInfo(SHOP_ZONE)
    day = now.astimezone(zone).date()
    while True:
        opening = datetime.combine(day, OPENS, tzinfo=zone).astimezone(UTC)
        if day.isoweekday() <= 5 and opening >= now:
            return opening
        day += timedelta(days=1)


def is_held_out(customer_id: str, percent: int) -> bool:
    """Say whether a customer is held out of the journey, by the documented rule."""
    return int(hashlib.sha256(f"{JOURNEY}:{customer_id}".encode()).hexdigest()[:8], 16) % 100 < percent
