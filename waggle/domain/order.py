"""What a customer has bought, and how far it has come."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from waggle.domain.event import CartItem
from waggle.domain.telling import Told, standing, value_of

OrderState = Literal["placed", "paid", "shipped", "delivered", "cancelled", "returned"]

STEPS: tuple[OrderState, ...] = ("returned", "cancelled", "delivered", "shipped", "paid")
"""After `placed`, the one that outweighs the others first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One placed order."""

    order_id: str
    customer_id: str | None
    cart_id: str | None
    placed_at: datetime
    currency: str
    total_minor: int
    coupon_code: str | None = None
    anonymous_id: str | None = None
    checkout_id: str | None = None
    told: Told = field(default_factory=dict)

    @property
    def items(self) -> tuple[CartItem, ...]:
        """The lines, as far as they were told."""
        placed = value_of(self.told, "placed")
        return tuple(CartItem(**item) for item in placed["items"]) if placed is not None else ()

    @property
    def state(self) -> OrderState:
        """How far it has come: a cancelled order that was shipped before is cancelled."""
        return next((step for step in STEPS if self.at(step) is not None), "placed")

    @property
    def refund_minor(self) -> int | None:
        """What was given back for returned goods, as it was told last."""
        refund = value_of(self.told, "returned")
        return refund if isinstance(refund, int) else None

    @property
    def counts(self) -> bool:
        """Whether it speaks for its customer: not if it was cancelled or came back."""
        return self.state not in {"cancelled", "returned"}

    def at(self, step: OrderState) -> datetime | None:
        """Return when it came so far, None if it did not or nobody said so."""
        if step == "placed":
            return self.placed_at
        telling = standing(self.told, step)
        return telling.at if telling is not None and telling.value is not False else None


def order_of(order_id: str, told: Told) -> Order | None:
    """Return the order that follows from what was told of it; None until it is known to be placed."""
    placed = standing(told, "placed")
    if placed is None:
        return None
    return Order(
        order_id=order_id,
        customer_id=value_of(told, "customer_id"),
        cart_id=value_of(told, "cart_id"),
        placed_at=placed.at,
        currency=placed.value["currency"],
        total_minor=placed.value["total_minor"],
        coupon_code=placed.value["coupon_code"],
        anonymous_id=value_of(told, "anonymous_id"),
        checkout_id=value_of(told, "checkout_id"),
        told=told,
    )
