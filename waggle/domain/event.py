"""Facts that enter through the one door, and what each must say."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Event:
    """A CloudEvents 1.0 envelope, accepted or about to be.

    (source, id) is unique for ever. `subject` is the customer once known, else the cart or anonymous id: events of one
    subject are applied in the order of their arrival.
    """

    id: str
    source: str
    type: str
    subject: str
    time: datetime
    data: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerIdentified:
    """A field that is absent leaves what is known as it is."""

    customer_id: str
    email: str | None = None
    first_name: str | None = None
    time_zone: str | None = None
    """IANA name, for example `Europe/Warsaw`."""
    language: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CartItem:
    """One line of a cart."""

    sku: str
    quantity: int
    unit_price_minor: int
    name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CartUpdated:
    """The whole cart as it is now; no items: it was emptied."""

    cart_id: str
    currency: str
    items: list[CartItem]
    customer_id: str | None = None
    url: str | None = None
    """Where the shopper finds this cart again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderPlaced:
    """An order; it may arrive before the cart it came from."""

    order_id: str
    currency: str
    total_minor: int
    customer_id: str | None = None
    cart_id: str | None = None
    coupon_code: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductUpdated:
    """What the shop sells under one stock-keeping unit."""

    sku: str
    name: str
    price_minor: int
    currency: str
    url: str | None = None
    image_url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StockChanged:
    """How many can be bought now."""

    sku: str
    quantity: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentGiven:
    """The customer agrees to one purpose on one channel."""

    customer_id: str
    purpose: str = "marketing"
    channel: str = "email"
    text_version: str | None = None
    """Which wording was agreed to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentWithdrawn:
    """The customer agrees no longer."""

    customer_id: str
    purpose: str = "marketing"
    channel: str = "email"


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerErased:
    """The customer asked to be forgotten."""

    customer_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageClicked:
    """The shopper followed a link in a message."""

    message_id: str
    url: str | None = None


Fact = (
    CustomerIdentified
    | CartUpdated
    | OrderPlaced
    | ProductUpdated
    | StockChanged
    | ConsentGiven
    | ConsentWithdrawn
    | CustomerErased
    | MessageClicked
)

FACTS: dict[str, type[Fact]] = {
    "customer-identified": CustomerIdentified,
    "cart-updated": CartUpdated,
    "order-placed": OrderPlaced,
    "product-updated": ProductUpdated,
    "stock-changed": StockChanged,
    "consent-given": ConsentGiven,
    "consent-withdrawn": ConsentWithdrawn,
    "customer-erased": CustomerErased,
    "message-clicked": MessageClicked,
}
"""Event type -> what its data must say."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Why an event was refused: which rule, where (such as `$.data.items[0].sku`), and how to mend it."""

    code: str
    where: str
    detail: str


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of one event at the door."""

    id: str | None
    status: str
    """`accepted`, `duplicate` or `refused`."""
    problem: Problem | None = None
