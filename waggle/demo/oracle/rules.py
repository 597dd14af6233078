"""What the shop's owner was promised: the oracle's own reading of it, not the product's settings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

# Score band, cart value from (in cents), orders from, campaign; the first that fits, as agreed with the shop's owner.
_OFFERS: tuple[tuple[str | None, int, int, str | None], ...] = (
    ("champion", 15000, 0, "cart-5"),
    ("champion", 0, 0, None),
    ("loyal", 10000, 0, "cart-5"),
    ("loyal", 0, 0, None),
    ("lapsed", 8000, 0, "cart-15"),
    ("lapsed", 0, 3, "cart-15"),
    ("lapsed", 0, 0, "cart-10"),
    ("new", 6000, 0, "cart-10"),
    ("occasional", 8000, 0, "cart-10"),
    (None, 0, 0, "cart-5"),
)
_LEAST_FOR_A_COUPON_MINOR = 3000
_LAPSED_AFTER = timedelta(days=180)


@dataclass(frozen=True, slots=True)
class Campaign:
    """A coupon campaign's offer and its budget; money in cents."""

    percent: int
    max_discount_minor: int
    budget_count: int
    budget_minor: int

    def cost_minor(self, cart_value_minor: int) -> int:
        """Return what one coupon costs at most, rounded up."""
        return min(-(-cart_value_minor * self.percent // 100), self.max_discount_minor)


@dataclass(frozen=True, slots=True)
class Rules:
    """What the shop's owner was promised."""

    campaigns: Mapping[str, Campaign]
    holdout_percent: int = 10
    idle: timedelta = timedelta(minutes=20)
    promptness: timedelta = timedelta(minutes=30)
    """From the last activity in a cart, or from the end of quiet hours, to the mail."""
    quiet_from: time = time(21)
    quiet_until: time = time(9)
    cap_window: timedelta = timedelta(hours=20)
    """No second marketing mail to one customer within this time."""
    reply_window: timedelta = timedelta(hours=24)

    def quiet_over_at(self, moment: datetime, zone: str) -> datetime | None:
        """Return when the night at *moment* ends where the shopper lives; None by day."""
        local = moment.astimezone(ZoneInfo(zone))
        if self.quiet_until <= local.time() < self.quiet_from:
            return None
        day = local.date() + timedelta(days=1) if local.time() >= self.quiet_from else local.date()
        return datetime.combine(day, self.quiet_until, tzinfo=local.tzinfo).astimezone(UTC)


def score_band(placed: Sequence[tuple[datetime, int]], moment: datetime) -> str:
    """Return how good a customer is at *moment* by the orders so far, each a time and a total in cents."""
    if not placed:
        return "new"
    if moment - max(placed)[0] > _LAPSED_AFTER:
        return "lapsed"
    if len(placed) >= 5:
        mean_minor = sum(total_minor for _, total_minor in placed) / len(placed)
        return "champion" if mean_minor >= 10000 else "loyal"
    return "loyal" if len(placed) >= 2 else "occasional"


def offer(score_band: str, value_minor: int, order_count: int) -> str | None:
    """Return the campaign that such a customer is offered for a cart of that value, if any."""
    if value_minor < _LEAST_FOR_A_COUPON_MINOR:
        return None
    return next(
        campaign
        for band, from_minor, from_orders, campaign in _OFFERS
        if band in (None, score_band) and value_minor >= from_minor and order_count >= from_orders
    )
