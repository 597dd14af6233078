"""What calls of Segment's libraries say, in our own words.

The e-commerce vocabulary is version 2 of Segment's public specification (https://segment.com/docs/connections/spec/,
read 2026-11). What we have no word for is ignored, and said to be.
"""

import hashlib
import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

import msgspec

from waggle.domain.money import to_minor
from waggle.services.intake import Translated

TOPIC = "segment"
"""Under which calls that were refused are kept."""

CallKind = Literal["track", "identify", "page", "screen", "group", "alias"]

_Message = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Ignored:
    """A call that says nothing we have a word for."""

    id: str
    what: str
    """A word of ours: the kind of call, or the name of a known event; never a sender's own."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call as it came."""

    kind: CallKind
    message: _Message
    sent_at: object
    """When the sender's clock said that it left; of a batch, if not of the call itself."""


@dataclass(frozen=True, slots=True)
class _Field:
    """Where one field of ours is found: at the first of *paths* that is there."""

    name: str
    paths: tuple[str, ...]
    read: Callable[[Any, str], Any]
    """Makes our form of a value, given the currency."""


def translated(call: Call, now: datetime, default_currency: str = "") -> Translated | Ignored:
    """Return the event that *call* means.

    Nothing is refused here: what is missing or wrong is so in the event, too, and the intake says it. Times are put
    right by the difference between the sender's clock at sending and ours now.
    """
    message = call.message
    said = {name: value for name, value in message.items() if name not in _OF_THE_SENDING}
    call_id = _call_id(message, said)
    type_and_data = _READERS[call.kind](message, default_currency)
    if isinstance(type_and_data, str):
        return Ignored(call_id, type_and_data)
    event_type, data = type_and_data
    item = {
        "specversion": "1.0",
        "id": call_id,
        "type": event_type,
        "data": {name: value for name, value in data.items() if value is not None},
    }
    happened_at = _happened_at(message, call.sent_at, now)
    if happened_at is not None:
        item["time"] = happened_at
    return Translated(item, {"type": call.kind, **said}, TOPIC)


_OF_THE_SENDING = frozenset({"writeKey", "sentAt", "receivedAt", "_metadata", "integrations", "channel", "version"})
"""Not said by the call but by its transport: another try of the same call may have others."""


def _call_id(message: _Message, said: Mapping[str, Any]) -> str:
    given = message.get("messageId")
    if isinstance(given, str) and given:
        return given
    if any(message.get(name) for name in ("timestamp", "originalTimestamp")):
        encoded = msgspec.json.encode(said, order="sorted")
        return f"call-{hashlib.sha256(encoded).hexdigest()[:32]}"
    # Twice the same without id and time may well be two things that happened.
    return f"call-{secrets.token_hex(16)}"


def _happened_at(message: _Message, sent_at: object, now: datetime) -> str | None:
    told = message.get("originalTimestamp", message.get("timestamp"))
    happened, sent = _time(told), _time(message.get("sentAt", sent_at))
    if happened is None:
        # None at all: now. One that cannot be read: the intake says so.
        return None if told is None else str(told)
    try:
        if sent is not None:
            happened = now - max(sent - happened, sent - sent)
    except OverflowError:
        # Before the calendar begins: as it was told, the intake says that it is implausible.
        return str(told)
    return min(happened, now).isoformat()


def _time(given: object) -> datetime | None:
    if not isinstance(given, str):
        return None
    try:
        found = datetime.fromisoformat(given)
        return found.astimezone(UTC) if found.tzinfo is not None else found.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def _at(message: object, path: str) -> Any:  # noqa: ANN401 -- any JSON value
    found = message
    for name in path.split("."):
        found = found.get(name) if isinstance(found, Mapping) else None
    return found


def _first(message: _Message, paths: Sequence[str]) -> Any:  # noqa: ANN401 -- any JSON value
    return next((found for path in paths if (found := _at(message, path)) not in (None, "")), None)


def _as_it_is(value: Any, _currency: str) -> Any:  # noqa: ANN401 -- any JSON value
    return value


def _as_id(value: Any, _currency: str) -> Any:  # noqa: ANN401 -- any JSON value
    # Many shops number their things.
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _as_minor(value: Any, currency: str) -> Any:  # noqa: ANN401 -- any JSON value
    try:
        return to_minor(value, currency, rounded=True)
    except (ValueError, TypeError, ArithmeticError):
        return None


def _as_count(value: Any, _currency: str) -> Any:  # noqa: ANN401 -- any JSON value
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,9}", value):
        return int(value)
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _as_currency(value: Any, _currency: str) -> Any:  # noqa: ANN401 -- any JSON value
    return value.upper() if isinstance(value, str) else value


def _as_lines(value: Any, currency: str) -> Any:  # noqa: ANN401 -- any JSON value
    if not isinstance(value, list):
        return value
    return [_line(each, currency) if isinstance(each, Mapping) else each for each in value]


def _line(product: _Message, currency: str) -> dict[str, Any]:
    line = {each.name: _read(product, each, currency) for each in _LINE}
    return {"quantity": 1} | {name: value for name, value in line.items() if value is not None}


def _read(message: _Message, wanted: _Field, currency: str) -> Any:  # noqa: ANN401 -- any JSON value
    found = _first(message, wanted.paths)
    return None if found is None else wanted.read(found, currency)


def _fields(**paths: tuple[Callable[[Any, str], Any], str]) -> tuple[_Field, ...]:
    return tuple(_Field(name, tuple(where.split()), read) for name, (read, where) in paths.items())


_LINE = _fields(
    sku=(_as_id, "sku product_id id variant"),
    quantity=(_as_count, "quantity"),
    unit_price_minor=(_as_minor, "price"),
    name=(_as_it_is, "name"),
)

_WHO = _fields(customer_id=(_as_id, "userId"), anonymous_id=(_as_id, "anonymousId"))
_CART_ID = "properties.cart_id properties.cartId"
_SKU = "properties.sku properties.product_id properties.id properties.variant"
_LINES = (_as_lines, "properties.products")
_PAGE = (_as_it_is, "properties.url context.page.url")
_ORDER_ID = "properties.order_id properties.orderId properties.id"
_TOTAL = (_as_minor, "properties.total properties.revenue properties.value")
_CURRENCY = (_as_currency, "properties.currency")

_TRACKED: dict[str, tuple[str, tuple[_Field, ...]]] = {
    "product viewed": ("product-viewed", _fields(sku=(_as_id, _SKU), url=_PAGE)),
    "product added": (
        "product-added",
        _fields(
            cart_id=(_as_id, _CART_ID),
            currency=_CURRENCY,
            sku=(_as_id, _SKU),
            quantity=(_as_count, "properties.quantity"),
            unit_price_minor=(_as_minor, "properties.price"),
            name=(_as_it_is, "properties.name"),
            url=(_as_it_is, "properties.cart_url"),
        ),
    ),
    "product removed": (
        "product-removed",
        _fields(cart_id=(_as_id, _CART_ID), sku=(_as_id, _SKU), quantity=(_as_count, "properties.quantity")),
    ),
    "cart viewed": (
        "cart-updated",
        _fields(cart_id=(_as_id, _CART_ID), currency=_CURRENCY, items=_LINES, url=_PAGE),
    ),
    "checkout started": (
        "checkout-started",
        _fields(
            checkout_id=(_as_id, f"properties.checkout_id {_ORDER_ID} {_CART_ID}"),
            cart_id=(_as_id, _CART_ID),
            currency=_CURRENCY,
            total_minor=(_as_minor, "properties.total properties.value properties.revenue"),
            items=_LINES,
            url=_PAGE,
        ),
    ),
    "order completed": (
        "order-placed",
        _fields(
            order_id=(_as_id, _ORDER_ID),
            checkout_id=(_as_id, "properties.checkout_id"),
            cart_id=(_as_id, _CART_ID),
            currency=_CURRENCY,
            total_minor=_TOTAL,
            items=_LINES,
            coupon_code=(_as_it_is, "properties.coupon"),
        ),
    ),
    "order refunded": ("order-returned", _fields(order_id=(_as_id, _ORDER_ID), refund_minor=_TOTAL)),
    "order cancelled": ("order-cancelled", _fields(order_id=(_as_id, _ORDER_ID))),
}
"""Name of an event, in lower case -> our type and where its fields are found."""

_WITHOUT_A_WORD = frozenset(
    {
        "cart shared",
        "checkout step completed",
        "checkout step viewed",
        "coupon applied",
        "coupon denied",
        "coupon entered",
        "coupon removed",
        "order updated",
        "payment info entered",
        "product added to wishlist",
        "product clicked",
        "product list filtered",
        "product list viewed",
        "product removed from wishlist",
        "product reviewed",
        "product shared",
        "products searched",
        "promotion clicked",
        "promotion viewed",
        "wishlist product added to cart",
    }
)
"""Known names that change no state of ours; `Order Updated` among them, since it does not say what of it is new."""

_SAME = {
    "viewed product": "product viewed",
    "added product": "product added",
    "removed product": "product removed",
    "completed order": "order completed",
    "refunded order": "order refunded",
    "cancelled order": "order cancelled",
    "order canceled": "order cancelled",
}
"""Names of the first version, and other spellings."""

_ONE_IF_NOT_SAID = frozenset({"product-added", "product-removed"})


def _track(message: _Message, default_currency: str) -> tuple[str, dict[str, Any]] | str:
    given = message.get("event")
    name = " ".join(re.split(r"[\s_-]+", given.strip().lower())) if isinstance(given, str) else ""
    name = _SAME.get(name, name)
    if name not in _TRACKED:
        return name if name in _WITHOUT_A_WORD else "another event"
    event_type, wanted = _TRACKED[name]
    said = _first(message, ("properties.currency",))
    currency = said.upper() if isinstance(said, str) else default_currency
    data = {each.name: _read(message, each, currency) for each in (*_WHO, *wanted)}
    if "currency" in data:
        data["currency"] = data["currency"] or currency or None
    if event_type in _ONE_IF_NOT_SAID and data["quantity"] is None:
        data["quantity"] = 1
    if event_type == "cart-updated" and data["items"] is None:
        return "cart viewed without products"
    return event_type, data


_PAGE_FIELDS = _fields(
    url=_PAGE,
    title=(_as_it_is, "properties.title context.page.title name"),
    referrer=(_as_it_is, "properties.referrer context.page.referrer"),
)


def _page(message: _Message, _currency: str) -> tuple[str, dict[str, Any]] | str:
    return "page-viewed", {each.name: _read(message, each, "") for each in (*_WHO, *_PAGE_FIELDS)}


def _screen(_message: _Message, _currency: str) -> str:
    return "screen"


def _group(_message: _Message, _currency: str) -> str:
    return "group"


_TRAITS = _fields(
    email=(_as_it_is, "traits.email context.traits.email"),
    phone=(_as_it_is, "traits.phone context.traits.phone"),
    first_name=(_as_it_is, "traits.firstName traits.first_name traits.firstname"),
    last_name=(_as_it_is, "traits.lastName traits.last_name traits.lastname"),
    birth_date=(lambda value, _currency: value[:10] if isinstance(value, str) else value, "traits.birthday"),
    time_zone=(_as_it_is, "traits.timezone context.timezone"),
    language=(lambda value, _currency: value.replace("_", "-") if isinstance(value, str) else value, "context.locale"),
    country=(
        # Many write a name where a code is meant; what is not sure is left out.
        lambda value, _currency: value if isinstance(value, str) and re.fullmatch(r"[A-Z]{2}", value) else None,
        "traits.address.country traits.country",
    ),
)


def _identify(message: _Message, _currency: str) -> tuple[str, dict[str, Any]] | str:
    data = {each.name: _read(message, each, "") for each in (*_WHO, *_TRAITS)}
    if data["customer_id"] is None:
        if data["anonymous_id"] is None or (data["email"] is None and data["phone"] is None):
            return "identify without userId"
        # A guest who left an address: joined with the customer of that address, once there is one.
        data["customer_id"] = f"guest-{data['anonymous_id']}"
    return "customer-identified", data


def _alias(message: _Message, _currency: str) -> tuple[str, dict[str, Any]] | str:
    customer_id, before = (_as_id(message.get(name), "") for name in ("userId", "previousId"))
    if customer_id is None or before is None:
        return "alias without userId or previousId"
    # What they did before is theirs. Two customers become one by customers-merged alone: whoever holds the key of a
    # page could else take over anybody's.
    return "customer-identified", {"customer_id": customer_id, "anonymous_id": before}


_READERS: dict[CallKind, Callable[[_Message, str], tuple[str, dict[str, Any]] | str]] = {
    "track": _track,
    "identify": _identify,
    "page": _page,
    "screen": _screen,
    "group": _group,
    "alias": _alias,
}
