"""What a payment provider says about the money for an order or a cart."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from waggle.domain.telling import Told, standing, value_of

PaymentState = Literal["authorised", "failed", "refunded"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Payment:
    """One payment; what happened to it last counts."""

    payment_id: str
    order_id: str | None
    cart_id: str | None
    customer_id: str | None
    told: Told = field(default_factory=dict)

    @property
    def state(self) -> PaymentState | None:
        """What happened to it last; money that went back outweighs the rest."""
        if self.refunded_minor:
            return "refunded"
        steps = {name: standing(self.told, name) for name in ("authorised", "failed")}
        known = [(each.at, name) for name, each in steps.items() if each is not None]
        newest = max(known, default=None)
        if newest is None:
            return None
        return "authorised" if newest[1] == "authorised" else "failed"

    @property
    def changed_at(self) -> datetime | None:
        """Time of the newest word on it."""
        return max((each.at for tellings in self.told.values() for each in tellings), default=None)

    @property
    def refunded_minor(self) -> int:
        """Sum of what went back."""
        return sum(value_of(self.told, name)["amount_minor"] for name in self.told if name.startswith("refund:"))


def payment_of(payment_id: str, told: Told) -> Payment:
    """Return the payment that follows from what was told of it."""
    return Payment(
        payment_id=payment_id,
        order_id=value_of(told, "order_id"),
        cart_id=value_of(told, "cart_id"),
        customer_id=value_of(told, "customer_id"),
        told=told,
    )
