"""What each cart should have led to, worked out from the shop's journal."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from waggle.demo.oracle.rules import Rules, offer, score_band
from waggle.demo.scenario import Deed, Scenario, Shopper, is_held_out

# The mailbox and the journey read one clock, a moment apart.
_TOLERANCE = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class Window:
    """When a mail has to arrive; `held` by quiet hours before."""

    opens_at: datetime
    closes_at: datetime
    held: bool = False


@dataclass(frozen=True, slots=True)
class Expected:
    """What is right for one cart. No `first`: no mail, for `reason`."""

    cart_id: str
    abandoned: bool
    reason: str = ""
    item_names: tuple[str, ...] = ()
    value_minor: int = 0
    campaign: str | None = None
    """Whose coupon the journey asks for, once it has got as far as that."""
    first: Window | None = None
    reminder: Window | None = None


@dataclass(frozen=True, slots=True)
class _LeftCart:
    """A cart as its shopper left it, after the newest of its events by their own times."""

    cart_id: str
    shopper: Shopper
    last_at: datetime
    items: Sequence[Mapping[str, Any]]


class _World:
    """What truly happened, read from the shop's journal: only what the door took in for the first time."""

    def __init__(self, scenario: Scenario, deeds: Iterable[Deed]) -> None:
        self.shoppers = {cart.cart_id: shopper for shopper in scenario.shoppers for cart in shopper.carts}
        self.updates: dict[str, list[tuple[datetime, Sequence[Mapping[str, Any]]]]] = defaultdict(list)
        self.orders: list[tuple[datetime, Mapping[str, Any]]] = []
        self.consent: dict[int, list[tuple[datetime, bool]]] = defaultdict(list)
        self.stock: dict[str, list[tuple[datetime, int]]] = defaultdict(list)
        self.clicks: dict[int, list[datetime]] = defaultdict(list)
        for deed in deeds:
            if deed.expected == deed.answer == "accepted":
                self._learn(deed)

    def _learn(self, deed: Deed) -> None:
        match deed.what:
            case "cart-updated":
                self.updates[deed.data["cart_id"]].append((deed.at, deed.data["items"]))
            case "order-placed":
                self.orders.append((deed.at, deed.data))
            case "consent-given":
                self.consent[deed.shopper].append((deed.at, True))
            case "consent-withdrawn" | "unsubscribe":
                self.consent[deed.shopper].append((deed.at, False))
            case "stock-changed":
                self.stock[deed.data["sku"]].append((deed.at, deed.data["quantity"]))
            case "click":
                self.clicks[deed.shopper].append(deed.at)

    def agrees(self, shopper: Shopper, moment: datetime) -> bool:
        said = [statement for statement in self.consent[shopper.number] if statement[0] <= moment]
        return bool(said) and max(said)[1]

    def exit_between(self, cart: _LeftCart, after: datetime, until: datetime) -> str:
        """Return what ended the cart's journey in that time: the first order or withdrawal of its shopper, or ""."""
        shopper = cart.shopper
        ends = [
            (at, "ordered")
            for at, order in self.orders
            if order.get("cart_id") == cart.cart_id
            or (shopper.customer_id is not None and order.get("customer_id") == shopper.customer_id)
        ]
        ends += [(at, "consent_withdrawn") for at, given in self.consent[shopper.number] if not given]
        return min(((at, end) for at, end in ends if after < at <= until), default=(until, ""))[1]

    def sold_out(self, items: Sequence[Mapping[str, Any]], moment: datetime) -> bool:
        return all(
            max(((at, left) for at, left in self.stock[item["sku"]] if at <= moment), default=(moment, 1))[1] <= 0
            for item in items
        )

    def orders_of(self, shopper: Shopper, moment: datetime) -> list[tuple[datetime, int]]:
        return [
            (at, order["total_minor"])
            for at, order in self.orders
            if order.get("customer_id") == shopper.customer_id and at <= moment
        ]

    def left_carts(self) -> list[_LeftCart]:
        """Return all carts in the order in which they were left."""
        left = []
        for cart_id, updates in self.updates.items():
            last_at, items = max(updates, key=lambda update: update[0])
            left.append(_LeftCart(cart_id, self.shoppers[cart_id], last_at, items))
        return sorted(left, key=lambda cart: cart.last_at)


def expect(
    scenario: Scenario, deeds: Iterable[Deed], first_mails: Mapping[str, datetime], rules: Rules
) -> dict[str, Expected]:
    """Return what is right for each cart.

    *first_mails* say by cart when one really arrived: from then on the day until the reminder is counted.
    """
    judge = _Judge(_World(scenario, deeds), rules)
    found = {}
    for cart in judge.world.left_carts():
        right = judge.cart(cart)
        if right.first is not None and cart.cart_id in first_mails:
            right = replace(right, reminder=judge.reminder(cart, first_mails[cart.cart_id]))
        found[cart.cart_id] = right
    return found


class _Judge:
    """Judges carts in the order in which they were left: whoever was written to about one is capped for the next."""

    def __init__(self, world: _World, rules: Rules) -> None:
        self.world = world
        self._rules = rules
        self._written_to: dict[int, list[datetime]] = defaultdict(list)

    def cart(self, cart: _LeftCart) -> Expected:
        idle_at = cart.last_at + self._rules.idle
        right = Expected(
            cart.cart_id,
            abandoned=True,
            item_names=tuple(item["name"] for item in cart.items),
            value_minor=sum(item["quantity"] * item["unit_price_minor"] for item in cart.items),
        )
        if any(order.get("cart_id") == cart.cart_id and at <= idle_at for at, order in self.world.orders):
            return replace(right, abandoned=False, reason="ordered")
        if not cart.items:
            return replace(right, abandoned=False, reason="emptied")
        reason = self.world.exit_between(cart, cart.last_at, idle_at) or self._objection(cart, idle_at)
        if reason:
            return replace(right, reason=reason)
        placed = self.world.orders_of(cart.shopper, idle_at)
        campaign = offer(score_band(placed, idle_at), right.value_minor, len(placed))
        return self._first_mail(cart, replace(right, campaign=campaign), idle_at)

    def _first_mail(self, cart: _LeftCart, right: Expected, idle_at: datetime) -> Expected:
        closes_at = cart.last_at + self._rules.promptness
        leaves_at = idle_at
        night_over_at = self._rules.quiet_over_at(idle_at, cart.shopper.time_zone)
        if night_over_at is not None:
            reason = self.world.exit_between(cart, idle_at, night_over_at) or self._objection(cart, night_over_at)
            if reason:
                return replace(right, reason=reason)
            leaves_at, closes_at = night_over_at, night_over_at + self._rules.promptness
        self._written_to[cart.shopper.number].append(leaves_at)
        return replace(right, first=Window(leaves_at - _TOLERANCE, closes_at, held=night_over_at is not None))

    def reminder(self, cart: _LeftCart, first_left_at: datetime) -> Window | None:
        due_at = first_left_at + self._rules.reply_window
        if any(first_left_at <= at <= due_at for at in self.world.clicks[cart.shopper.number]):
            return None
        night_over_at = self._rules.quiet_over_at(due_at, cart.shopper.time_zone)
        leaves_at = night_over_at or due_at
        if self.world.exit_between(cart, first_left_at, leaves_at) or self._objection(cart, leaves_at):
            return None
        return Window(leaves_at - _TOLERANCE, leaves_at + self._rules.promptness, held=night_over_at is not None)

    def _objection(self, cart: _LeftCart, moment: datetime) -> str:
        """Return the first reason not to write to the shopper at *moment*, or ""."""
        shopper = cart.shopper
        if shopper.customer_id is None or shopper.email is None:
            return "no_contact"
        if not self.world.agrees(shopper, moment):
            return "no_consent"
        if is_held_out(shopper.customer_id, self._rules.holdout_percent):
            return "holdout"
        if self.world.sold_out(cart.items, moment):
            return "out_of_stock"
        if any(moment - at < self._rules.cap_window for at in self._written_to[shopper.number]):
            return "frequency_cap"
        return ""
