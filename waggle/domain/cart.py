"""What a shopper is about to buy, and whether they have walked away from it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from waggle.domain.event import CartItem

CartState = Literal["active", "idle", "emptied", "ordered"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cart:
    """The newest known content of one cart."""

    cart_id: str
    customer_id: str | None
    currency: str
    items: tuple[CartItem, ...]
    url: str | None
    last_activity_at: datetime
    customer_told_at: datetime | None = None
    """Time of the event that named the customer, which need not be the newest one."""
    url_told_at: datetime | None = None

    @property
    def value_minor(self) -> int:
        """Sum of the lines, in the minor unit of the currency."""
        return sum(item.quantity * item.unit_price_minor for item in self.items)

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
