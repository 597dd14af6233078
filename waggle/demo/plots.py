"""What shoppers of each kind do, told as small plots, and the plan that gives every shopper one."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from random import Random
from typing import Any

from waggle.demo.goods import CURRENCY, FIRST_NAMES, SHELF, SHOP_URL, TRIFLES, Product
from waggle.demo.scenario import (
    NIGHT_ZONE,
    SHOP_ZONE,
    Action,
    Answer,
    Doing,
    Kind,
    PlannedCart,
    Reaction,
    Scenario,
    Shopper,
    is_held_out,
)

# How often each kind comes among the shoppers after the first round, in which each comes once. Whoever is held out
# there is so by the rule and not by a plot.
_WEIGHTS = {
    Kind.ABANDONED: 26,
    Kind.EMPTIED: 6,
    Kind.ORDERED_IN_TIME: 14,
    Kind.ORDERED_AFTER_MAIL: 6,
    Kind.TWO_CARTS: 4,
    Kind.NO_CONSENT: 7,
    Kind.NO_CONTACT: 5,
    Kind.CONSENT_WITHDRAWN: 4,
    Kind.OUT_OF_STOCK: 3,
    Kind.UNSUBSCRIBES: 4,
    Kind.CLICKS: 6,
    Kind.ORDER_BEFORE_CART: 2,
    Kind.REPEATED_DELIVERY: 3,
    Kind.LATE_EVENT: 3,
    Kind.PRICE_CHANGE: 2,
    Kind.OTHER_CART_ORDERED: 3,
    Kind.LOW_VALUE: 5,
    Kind.RETURNING: 12,
    Kind.ASLEEP: 6,
}
# In all of them it is day while the shop has its three hours and for an hour after, whatever summer time does.
_DAY_ZONES = (SHOP_ZONE,) * 6 + ("Europe/Berlin", "Europe/Madrid", "Asia/Kolkata", "Asia/Tokyo")
_LAST_VISIT_MIN = 140
# In Tokyo the evening comes first: whoever visits later would be written to on the edge of quiet hours.
_LAST_VISIT_TOKYO_MIN = 80
_ORDERS_ANYWAY = 0.06
_ORDERS_IF_MAILED = 0.30
# Orders placed before the demo: how many, how long ago the newest in days, and the total of each in cents.
_HISTORIES = ((1, 20, 3900), (3, 12, 4200), (14, 5, 18900), (3, 500, 5200))


class _Life:
    """One shopper's three hours while they are being drawn; `at` is where the telling has got to."""

    def __init__(self, number: int, kind: Kind, random: Random, starts_at: datetime, customer_id: str) -> None:
        self.number = number
        self.kind = kind
        self.random = random
        self.starts_at = starts_at
        self.customer_id: str | None = customer_id
        self.email: str | None = None
        self.actions: list[Action] = []
        self.carts: list[PlannedCart] = []
        self.reactions: list[Reaction] = []
        self.zone = NIGHT_ZONE if kind is Kind.ASLEEP else random.choice(_DAY_ZONES)
        last = _LAST_VISIT_TOKYO_MIN if self.zone == "Asia/Tokyo" else _LAST_VISIT_MIN
        self.at = starts_at + timedelta(seconds=random.randrange(60, last * 60))

    def wait(self, least_min: float, most_min: float) -> None:
        self.at += timedelta(seconds=self.random.randrange(int(least_min * 60), int(most_min * 60)))

    def send(  # noqa: PLR0913 -- an event has that many sides
        self,
        event_type: str,
        event_id: str,
        data: Mapping[str, Any],
        *,
        at: datetime | None = None,
        time: datetime | None = None,
        answer: Answer = "accepted",
        unless_ordered: bool = False,
    ) -> None:
        sent_at = at or self.at
        known = {key: value for key, value in data.items() if value is not None}
        event = _envelope(event_type, event_id, known, time or sent_at)
        self.actions.append(Action(sent_at, f"shopper-{self.number}", event, answer, unless_ordered))

    def introduce(self, *, agrees: bool = True) -> None:
        """Tell who it is, half a minute before the first cart."""
        name = self.random.choice(FIRST_NAMES)
        self.email = f"{name.lower()}.{self.number:05d}@shoppers.example"
        before = self.at - timedelta(seconds=30)
        self.send(
            "customer-identified",
            f"{self.customer_id}-identified",
            {
                "customer_id": self.customer_id,
                "email": self.email,
                "first_name": name,
                "time_zone": self.zone,
                "language": "en",
            },
            at=before,
        )
        if agrees:
            agreed = {"customer_id": self.customer_id, "purpose": "marketing", "channel": "email"}
            self.send("consent-given", f"{self.customer_id}-agreed", agreed, at=before)

    def fill(self, goods: Sequence[Product] | None = None) -> PlannedCart:
        """Put things into a new cart; none that stands in the shopper's other carts: so their mails are told apart."""
        taken = {item["sku"] for cart in self.carts for item in cart.items}
        shelf = [product for product in SHELF if product.sku not in taken]
        chosen = goods or self.random.sample(shelf, self.random.randint(1, 3))
        items = tuple(_line(product, self.random.choice((1, 1, 1, 2))) for product in chosen)
        cart = PlannedCart(f"cart-{self.number:05d}-{len(self.carts) + 1}", items)
        self.carts.append(cart)
        self.update(cart, "filled", items)
        return cart

    def update(  # noqa: PLR0913 -- as for send
        self,
        cart: PlannedCart,
        what: str,
        items: Sequence[Mapping[str, Any]],
        *,
        at: datetime | None = None,
        time: datetime | None = None,
        answer: Answer = "accepted",
    ) -> None:
        data = {
            "cart_id": cart.cart_id,
            "customer_id": self.customer_id,
            "currency": CURRENCY,
            "items": [dict(item) for item in items],
            "url": f"{SHOP_URL}/carts/{cart.cart_id}",
        }
        self.send("cart-updated", f"{cart.cart_id}-{what}", data, at=at, time=time, answer=answer)

    def browse(self, cart: PlannedCart) -> None:
        """Change the cart none to three times and come back to what it was."""
        for change in range(self.random.randint(0, 3)):
            self.wait(1, 8)
            self.update(cart, f"tried-{change}", self.random.sample(cart.items, max(1, len(cart.items) - 1)))
            self.wait(0.5, 4)
            self.update(cart, f"back-{change}", cart.items)

    def order(self, cart: PlannedCart, *, at: datetime | None = None, unless_ordered: bool = False) -> None:
        data = {
            "order_id": f"order-{cart.cart_id}",
            "cart_id": cart.cart_id,
            "customer_id": self.customer_id,
            "currency": CURRENCY,
            "total_minor": cart.value_minor,
        }
        self.send("order-placed", f"order-{cart.cart_id}", data, at=at, unless_ordered=unless_ordered)

    def react(self, to: int, do: Doing, least_min: int, most_min: int) -> None:
        after = timedelta(seconds=self.random.randrange(least_min * 60, most_min * 60))
        self.reactions.append(Reaction(to, do, after))

    def leave(self, cart: PlannedCart) -> None:
        """Walk away; a few come back and order by themselves, more if a mail reminds them."""
        luck = self.random.random()
        if luck < _ORDERS_ANYWAY:
            self.order(cart, at=self.at + self._second_thoughts(), unless_ordered=True)
        if self.kind is Kind.ORDERED_AFTER_MAIL or luck < _ORDERS_IF_MAILED:
            self.react(1 if self.random.random() < 0.75 else 2, "order", 4, 240)

    def _second_thoughts(self) -> timedelta:
        # Never near the end of the night, when a held mail leaves: who was first would be left to chance.
        if self.kind is Kind.ASLEEP and self.random.random() < 0.5:
            return timedelta(minutes=self.random.randrange(26, 50))
        least_min = 8 * 60 if self.kind is Kind.ASLEEP else 45
        return timedelta(minutes=self.random.randrange(least_min, 12 * 60))

    def shopper(self) -> Shopper:
        return Shopper(
            self.number,
            self.kind,
            self.customer_id,
            self.email,
            self.zone,
            tuple(self.carts),
            tuple(self.reactions),
        )


def _abandoned(life: _Life) -> None:
    life.introduce()
    cart = life.fill()
    life.browse(cart)
    life.leave(cart)


def _emptied(life: _Life) -> None:
    life.introduce()
    cart = life.fill()
    life.wait(2, 14)
    life.update(cart, "emptied", ())


def _ordered_in_time(life: _Life) -> None:
    life.introduce()
    cart = life.fill()
    life.browse(cart)
    life.wait(1, 14)
    life.order(cart)


def _two_carts(life: _Life) -> None:
    life.introduce()
    life.fill()
    life.wait(7, 12)
    life.fill()


def _no_consent(life: _Life) -> None:
    life.introduce(agrees=False)
    life.leave(life.fill())


def _no_contact(life: _Life) -> None:
    life.customer_id = None
    life.browse(life.fill())


def _consent_withdrawn(life: _Life) -> None:
    life.introduce()
    life.fill()
    life.wait(4, 14)
    withdrawn = {"customer_id": life.customer_id, "purpose": "marketing", "channel": "email"}
    life.send("consent-withdrawn", f"{life.customer_id}-withdrew", withdrawn)


def _out_of_stock(life: _Life) -> None:
    rarity = Product(f"reserve-{life.number:05d}", f"Reserve jar no. {life.number}", 3900)
    _shelve(life, rarity, quantity=1)
    life.introduce()
    life.fill([rarity])
    life.wait(3, 14)
    life.send("stock-changed", f"{rarity.sku}-gone", {"sku": rarity.sku, "quantity": 0})


def _unsubscribes(life: _Life) -> None:
    life.introduce()
    life.fill()
    life.react(1, "unsubscribe", 5, 180)


def _clicks(life: _Life) -> None:
    life.introduce()
    life.fill()
    life.react(1, "click", 2, 90)
    if life.random.random() < 0.5:
        life.react(1, "order", 100, 200)


def _order_before_cart(life: _Life) -> None:
    life.introduce()
    filled_at = life.at - timedelta(seconds=20)
    cart = PlannedCart(f"cart-{life.number:05d}-1", (_line(life.random.choice(SHELF), 1),))
    life.carts.append(cart)
    life.order(cart)
    life.wait(1, 3)
    life.update(cart, "filled", cart.items, time=filled_at)


def _repeated_delivery(life: _Life) -> None:
    life.introduce()
    cart = life.fill()
    life.wait(0.5, 2)
    first_sent_at = life.actions[-1].at
    life.update(cart, "filled", cart.items, time=first_sent_at, answer="duplicate")
    life.wait(0.5, 2)
    life.update(cart, "filled", (), time=first_sent_at, answer="refused")
    life.leave(cart)


def _late_event(life: _Life) -> None:
    life.introduce()
    cart = life.fill(life.random.sample(SHELF, 2))
    life.wait(2, 5)
    changed_at = life.at
    life.wait(2, 5)
    life.update(cart, "back", cart.items)
    life.update(cart, "changed", cart.items[:1], at=life.at + timedelta(minutes=2), time=changed_at)
    life.leave(cart)


def _price_change(life: _Life) -> None:
    life.introduce()
    cart = life.fill()
    life.wait(2, 12)
    dear = next(product for product in SHELF if product.sku == cart.items[0]["sku"])
    cheaper = replace(dear, price_minor=dear.price_minor * 9 // 10)
    life.send("product-updated", f"{dear.sku}-cheaper-{life.number}", _description(cheaper))
    life.leave(cart)


def _other_cart_ordered(life: _Life) -> None:
    life.introduce()
    life.fill()
    life.wait(2, 7)
    second = life.fill()
    life.wait(1, 7)
    life.order(second)


def _low_value(life: _Life) -> None:
    life.introduce()
    life.leave(life.fill([life.random.choice(TRIFLES)]))


def _returning(life: _Life) -> None:
    count, newest_days, total_minor = life.random.choice(_HISTORIES)
    for past in range(count):
        number = f"order-{life.number:05d}-past-{past}"
        data = {
            "order_id": number,
            "customer_id": life.customer_id,
            "currency": CURRENCY,
            "total_minor": total_minor,
        }
        placed_at = life.starts_at - timedelta(days=newest_days + 4 * past)
        life.send("order-placed", number, data, at=life.starts_at, time=placed_at)
    _abandoned(life)


_PLOTS: dict[Kind, Callable[[_Life], None]] = {
    Kind.ABANDONED: _abandoned,
    Kind.EMPTIED: _emptied,
    Kind.ORDERED_IN_TIME: _ordered_in_time,
    Kind.ORDERED_AFTER_MAIL: _abandoned,
    Kind.TWO_CARTS: _two_carts,
    Kind.NO_CONSENT: _no_consent,
    Kind.NO_CONTACT: _no_contact,
    Kind.CONSENT_WITHDRAWN: _consent_withdrawn,
    Kind.OUT_OF_STOCK: _out_of_stock,
    Kind.UNSUBSCRIBES: _unsubscribes,
    Kind.CLICKS: _clicks,
    Kind.ORDER_BEFORE_CART: _order_before_cart,
    Kind.REPEATED_DELIVERY: _repeated_delivery,
    Kind.LATE_EVENT: _late_event,
    Kind.PRICE_CHANGE: _price_change,
    Kind.OTHER_CART_ORDERED: _other_cart_ordered,
    Kind.LOW_VALUE: _low_value,
    Kind.RETURNING: _returning,
    Kind.ASLEEP: _abandoned,
    Kind.HELD_OUT: _abandoned,
}


def plan(shoppers: int, seed: int, starts_at: datetime, *, holdout_percent: int = 10) -> Scenario:
    """Draw what *shoppers* people do in the three hours from *starts_at* (see next_opening).

    The first round holds each kind once, on the side of the hold-out where it shows what it is there for; with fewer
    shoppers than kinds some kinds are missing.
    """
    lives = []
    for number, kind in enumerate(_kinds(shoppers, seed), start=1):
        life = _live(number, kind, seed, starts_at, on_side=holdout_percent if number <= len(Kind) else None)
        _PLOTS[kind](life)
        lives.append(life)
    actions = [*_opening(starts_at), *(action for life in lives for action in life.actions)]
    # Sorting is stable: what one shopper does at one moment stays in its order.
    actions.sort(key=lambda action: action.at)
    return Scenario(starts_at, tuple(life.shopper() for life in lives), tuple(actions))


def plan_stragglers(count: int, seed: int, starts_at: datetime, *, after: int = 0) -> Scenario:
    """Draw *count* shoppers who fill a cart at *starts_at* and leave: so there are journeys under way to be seen.

    *after* is how many such shoppers there were before.
    """
    lives = []
    for number in range(90_001 + after, 90_001 + after + count):
        life = _live(number, Kind.ABANDONED, seed, starts_at)
        life.at, life.zone = starts_at, SHOP_ZONE
        life.introduce()
        life.fill()
        lives.append(life)
    actions = tuple(replace(action, at=starts_at) for life in lives for action in life.actions)
    return Scenario(starts_at, tuple(life.shopper() for life in lives), actions)


def _kinds(shoppers: int, seed: int) -> list[Kind]:
    drawn = Random(f"{seed}:kinds").choices(list(_WEIGHTS), list(_WEIGHTS.values()), k=max(0, shoppers - len(Kind)))
    return [*list(Kind)[:shoppers], *drawn]


def _customer_id(number: int, random: Random) -> str:
    return f"cu-{number:05d}-{random.getrandbits(16):04x}"


def _live(number: int, kind: Kind, seed: int, starts_at: datetime, *, on_side: int | None = None) -> _Life:
    """Draw one shopper; with *on_side*, the percentage held out, one who is held out just if the kind says so."""
    random = Random(f"{seed}:{number}")
    customer_id = _customer_id(number, random)
    # Nobody is on a side that 0 or 100 percent leave empty.
    if on_side is not None and 0 < on_side < 100:
        while is_held_out(customer_id, on_side) != (kind is Kind.HELD_OUT):
            customer_id = _customer_id(number, random)
    return _Life(number, kind, random, starts_at, customer_id)


def _opening(starts_at: datetime) -> list[Action]:
    """Return what stocks the shelf before the first shopper comes."""
    stocked_at = starts_at - timedelta(days=1)
    actions = []
    for product in (*SHELF, *TRIFLES):
        told = _envelope("product-updated", f"{product.sku}-listed", _description(product), stocked_at)
        stocked = {"sku": product.sku, "quantity": 10_000}
        stock = _envelope("stock-changed", f"{product.sku}-stocked", stocked, stocked_at)
        actions += [Action(starts_at, f"goods-{product.sku}", event) for event in (told, stock)]
    return actions


def _shelve(life: _Life, product: Product, *, quantity: int) -> None:
    before = life.at - timedelta(seconds=40)
    life.send("product-updated", f"{product.sku}-listed", _description(product), at=before)
    life.send("stock-changed", f"{product.sku}-stocked", {"sku": product.sku, "quantity": quantity}, at=before)


def _description(product: Product) -> dict[str, Any]:
    return {
        "sku": product.sku,
        "name": product.name,
        "price_minor": product.price_minor,
        "currency": CURRENCY,
        "url": product.url,
    }


def _line(product: Product, quantity: int) -> dict[str, Any]:
    return {
        "sku": product.sku,
        "name": product.name,
        "quantity": quantity,
        "unit_price_minor": product.price_minor,
    }


def _envelope(event_type: str, event_id: str, data: Mapping[str, Any], time: datetime) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": event_id,
        "type": event_type,
        "time": time.isoformat(),
        "data": dict(data),
    }
