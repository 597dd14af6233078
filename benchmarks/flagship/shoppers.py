"""People with carts, as events of the shop."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from random import Random
from typing import Any

from waggle.domain.enrolment import is_held_out

JOURNEY = "abandoned-cart"
HOLDOUT_PERCENT = 10
"""As config/journeys/abandoned-cart.toml ships it."""

_PRICES_MINOR = (1900, 4500, 8900, 17500)
"""Of the carts in turn: the decision table has an answer of its own for each."""

Event = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Shopper:
    """Somebody new with one cart, who agreed to be written to."""

    number: int

    @property
    def customer_id(self) -> str:
        """Opaque."""
        return f"customer-{self.number}"

    @property
    def cart_id(self) -> str:
        """Opaque."""
        return f"cart-{self.number}"

    @property
    def email(self) -> str:
        """Where the sink notes an arrival for."""
        return f"c{self.number}@shop.example"

    def signs_up(self) -> list[Event]:
        """Return who they are and that they agree."""
        about = {"customer_id": self.customer_id, "email": self.email, "first_name": "Ada"}
        return [
            _event(f"id-{self.number}", "customer-identified", about),
            _event(f"yes-{self.number}", "consent-given", {"customer_id": self.customer_id}),
        ]

    def fills_cart(self, at: datetime | None = None) -> Event:
        """Return the cart, changed *at* that time, else when the event is accepted."""
        price_minor = _PRICES_MINOR[self.number % len(_PRICES_MINOR)]
        item = {"sku": "honey", "name": "Honey", "quantity": 2, "unit_price_minor": price_minor}
        about = {"cart_id": self.cart_id, "customer_id": self.customer_id, "currency": "EUR", "items": [item]}
        event = _event(f"cart-{self.number}", "cart-updated", about)
        return event if at is None else {**event, "time": at.isoformat()}


def shoppers() -> Iterator[Shopper]:
    """Yield people without end, nobody of whom is held out: each cart comes to a mail."""
    for number in itertools.count(1):
        shopper = Shopper(number)
        if not is_held_out(JOURNEY, shopper.customer_id, HOLDOUT_PERCENT):
            yield shopper


def arrival_gaps_s(rate_per_s: float, seed: int) -> Iterator[float]:
    """Yield the pauses between people who know nothing of each other: exponential, the same for the same seed."""
    drawn = Random(seed)  # noqa: S311 -- no secret
    while True:
        yield drawn.expovariate(rate_per_s)


def _event(event_id: str, event_type: str, data: dict[str, Any]) -> Event:
    return {"specversion": "1.0", "id": event_id, "type": event_type, "data": data}
