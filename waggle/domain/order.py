"""What a customer has bought."""

from dataclasses import dataclass
from datetime import datetime


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
