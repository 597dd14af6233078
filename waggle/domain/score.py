"""How good a customer somebody is: recency, frequency and value of their orders."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from waggle.domain.order import Order

ScoreBand = Literal["new", "occasional", "loyal", "champion", "lapsed"]


@dataclass(frozen=True, slots=True)
class ScoreBounds:
    """Where the bands of one shop begin."""

    recent: timedelta
    lapsed_after: timedelta
    frequent_orders: int
    regular_orders: int
    premium_minor: int
    """Mean order value from which a customer's value band is 3."""
    average_minor: int


@dataclass(frozen=True, slots=True)
class Score:
    """Bands from 1 (low) to 3 (high) and the word that sums them up."""

    band: ScoreBand
    order_count: int
    recency_band: int
    frequency_band: int
    value_band: int


def score(orders: Sequence[Order], bounds: ScoreBounds, now: datetime) -> Score:
    """Rate a customer by their *orders*; no order at all makes a `new` one, whose bands are all 1."""
    if not orders:
        return Score("new", 0, 1, 1, 1)
    since = now - max(order.placed_at for order in orders)
    count = len(orders)
    mean_minor = sum(order.total_minor for order in orders) / count
    recency = 3 if since <= bounds.recent else 2 if since <= bounds.lapsed_after else 1
    frequency = 3 if count >= bounds.frequent_orders else 2 if count >= bounds.regular_orders else 1
    value = 3 if mean_minor >= bounds.premium_minor else 2 if mean_minor >= bounds.average_minor else 1
    return Score(_band(recency, frequency, value), count, recency, frequency, value)


def _band(recency: int, frequency: int, value: int) -> ScoreBand:
    if recency == 1:
        return "lapsed"
    if frequency == 3:  # noqa: PLR2004 -- the highest band
        return "champion" if value == 3 else "loyal"  # noqa: PLR2004
    return "loyal" if frequency == 2 else "occasional"  # noqa: PLR2004
