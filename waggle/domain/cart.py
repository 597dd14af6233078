"""What a shopper is about to buy, and whether they have walked away from it."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Literal

from waggle.domain.event import CartItem
from waggle.domain.telling import Telling, Told, standing, tell, value_of

CartState = Literal["active", "idle", "emptied", "ordered"]

NO_CURRENCY = "XXX"
"""ISO 4217 for none: of a cart from which something was taken before anybody told what it holds."""
_MOST_CHANGES = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class CartChange:
    """So many of one product put in, or taken out if negative."""

    at: datetime
    source: str
    event_id: str
    sku: str
    quantity: int
    currency: str | None = None
    unit_price_minor: int | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cart:
    """The newest known content of one cart."""

    cart_id: str
    customer_id: str | None
    currency: str
    items: tuple[CartItem, ...]
    url: str | None
    last_activity_at: datetime
    anonymous_id: str | None = None
    checkout_id: str | None = None
    """The checkout that the shopper went to with it last."""
    checkout_started_at: datetime | None = None
    told: Told = field(default_factory=dict)
    changes: tuple[CartChange, ...] = ()
    """Since the newest full picture, the oldest first."""

    @property
    def value_minor(self) -> int:
        """Sum of the lines, in the minor unit of the currency."""
        return sum(item.quantity * item.unit_price_minor for item in self.items)

    @property
    def checkout_url(self) -> str | None:
        """Where the shopper goes on with the checkout."""
        checkout = value_of(self.told, "checkout")
        return checkout["url"] if checkout is not None else None

    def idle_at(self, idle_after: timedelta) -> datetime:
        """Return when the cart counts as abandoned if nothing more happens."""
        return self.last_activity_at + idle_after

    def state(self, *, ordered: bool, idle_after: timedelta, now: datetime) -> CartState:
        """Say what has become of the cart: an order outweighs everything, an empty cart cannot be abandoned."""
        if ordered:
            return "ordered"
        if not self.items:
            return "emptied"
        return "idle" if now >= self.idle_at(idle_after) else "active"


def content(currency: str, items: Iterable[CartItem]) -> dict[str, Any]:
    """Return a full picture of a cart as the value of a telling."""
    return {"currency": currency, "items": [asdict(item) for item in items]}


def cart_of(cart_id: str, told: Told, changes: Sequence[CartChange], last_activity_at: datetime) -> Cart:
    """Return the cart that follows from what was told of it; who comes first does not matter."""
    full = standing(told, "content")
    newer = sorted(
        {(each.source, each.event_id): each for each in changes if full is None or each.at > full.at}.values(),
        key=lambda each: (each.at, each.source, each.event_id),
    )
    if len(newer) > _MOST_CHANGES:
        # Else a cart that a program plays with would grow for ever; what comes later from before is then lost.
        folded, newer = newer[: len(newer) // 2], newer[len(newer) // 2 :]
        full = _folded(full, folded)
        told = tell(told, "content", full)
    base = tuple(CartItem(**item) for item in full.value["items"]) if full is not None else ()
    currencies = [full.value["currency"]] if full is not None else []
    currencies += [each.currency for each in newer if each.currency is not None]
    checkout = standing(told, "checkout")
    return Cart(
        cart_id=cart_id,
        customer_id=value_of(told, "customer_id"),
        currency=currencies[-1] if currencies else NO_CURRENCY,
        items=_changed(base, newer) if newer else base,
        url=value_of(told, "url"),
        last_activity_at=last_activity_at,
        anonymous_id=value_of(told, "anonymous_id"),
        checkout_id=checkout.value["checkout_id"] if checkout is not None else None,
        checkout_started_at=checkout.at if checkout is not None else None,
        told=told,
        changes=tuple(newer),
    )


def _folded(full: Telling | None, changes: Sequence[CartChange]) -> Telling:
    base = tuple(CartItem(**item) for item in full.value["items"]) if full is not None else ()
    last = changes[-1]
    currency = last.currency or (full.value["currency"] if full is not None else NO_CURRENCY)
    items = _changed(base, changes)
    if full is not None:
        return replace(full, value=content(currency, items), at=last.at)
    return Telling(content(currency, items), last.at, last.source, last.event_id)


def _changed(base: Sequence[CartItem], changes: Iterable[CartChange]) -> tuple[CartItem, ...]:
    """Return *base* after *changes*, which are in the order of their times; there is never less than nothing."""
    lines = list(base)
    for change in changes:
        places = [index for index, line in enumerate(lines) if line.sku == change.sku]
        if change.quantity < 0:
            left = -change.quantity
            for index in reversed(places):
                taken = min(left, lines[index].quantity)
                lines[index] = replace(lines[index], quantity=lines[index].quantity - taken)
                left -= taken
            lines = [line for line in lines if line.quantity > 0]
        elif places:
            line = lines[places[0]]
            price_minor = line.unit_price_minor if change.unit_price_minor is None else change.unit_price_minor
            lines[places[0]] = replace(
                line,
                quantity=line.quantity + change.quantity,
                unit_price_minor=price_minor,
                name=change.name or line.name,
            )
        else:
            lines.append(
                CartItem(
                    sku=change.sku,
                    quantity=change.quantity,
                    unit_price_minor=change.unit_price_minor or 0,
                    name=change.name,
                )
            )
    return tuple(lines)
