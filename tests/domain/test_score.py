"""Recency, frequency and value make one word."""

from datetime import UTC, datetime, timedelta

import pytest

from waggle.domain.order import Order
from waggle.domain.score import Score, ScoreBounds, score

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
BOUNDS = ScoreBounds(
    recent=timedelta(days=60),
    lapsed_after=timedelta(days=180),
    frequent_orders=5,
    regular_orders=2,
    premium_minor=10_000,
    average_minor=4_000,
)


def orders(count: int, *, days_ago: int, minor: int) -> list[Order]:
    """All of the same value; the newest so many days ago."""
    return [
        Order(
            order_id=f"o-{number}",
            customer_id="c-1",
            cart_id=None,
            placed_at=NOW - timedelta(days=days_ago + number),
            currency="EUR",
            total_minor=minor,
        )
        for number in range(count)
    ]


def test_who_never_ordered_is_new_and_low_in_every_band() -> None:
    assert score([], BOUNDS, NOW) == Score("new", 0, 1, 1, 1)


@pytest.mark.parametrize(
    ("count", "days_ago", "minor", "expected"),
    [
        (1, 0, 3_999, Score("occasional", 1, 3, 1, 1)),
        (1, 60, 4_000, Score("occasional", 1, 3, 1, 2)),
        (2, 61, 9_999, Score("loyal", 2, 2, 2, 2)),
        (4, 180, 10_000, Score("loyal", 4, 2, 2, 3)),
        (5, 10, 9_999, Score("loyal", 5, 3, 3, 2)),
        (5, 10, 10_000, Score("champion", 5, 3, 3, 3)),
        (9, 181, 20_000, Score("lapsed", 9, 1, 3, 3)),
    ],
)
def test_bands_begin_where_the_shop_says(count: int, days_ago: int, minor: int, expected: Score) -> None:
    assert score(orders(count, days_ago=days_ago, minor=minor), BOUNDS, NOW) == expected
