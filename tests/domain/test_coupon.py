"""Coupons cost what was planned and cannot be guessed."""

import re
from datetime import timedelta

import pytest

from waggle.domain.coupon import ALPHABET, BudgetUse, CouponCampaign, new_code

CAMPAIGN = CouponCampaign(
    name="cart-10",
    percent=10,
    valid_for=timedelta(days=7),
    max_discount_minor=500,
    currency="EUR",
    budget_count=3,
    budget_minor=1000,
)


@pytest.mark.parametrize(("cart_minor", "cost_minor"), [(0, 0), (1, 1), (10, 1), (11, 2), (4990, 499), (5001, 500)])
def test_a_coupon_costs_its_share_rounded_up_and_at_most_the_limit(cart_minor: int, cost_minor: int) -> None:
    assert CAMPAIGN.cost_minor(cart_minor) == cost_minor


@pytest.mark.parametrize(
    ("count", "used_minor", "cost_minor", "room"),
    [(2, 500, 500, True), (2, 501, 500, False), (3, 0, 0, False), (0, 0, 1000, True), (0, 0, 1001, False)],
)
def test_one_more_fits_only_within_both_limits(count: int, used_minor: int, cost_minor: int, *, room: bool) -> None:
    assert BudgetUse(count, used_minor).leaves_room_for(CAMPAIGN, cost_minor) is room


def test_a_code_is_twelve_characters_that_nobody_mistakes_for_others() -> None:
    codes = {new_code() for _ in range(1000)}

    assert len(codes) == 1000
    assert all(re.fullmatch(rf"[{ALPHABET}]{{4}}(-[{ALPHABET}]{{4}}){{2}}", code) for code in codes)
    assert not set(ALPHABET) & set("01ILOU")
    # 30 possibilities for each of 12 characters: more than 58 bits.
    assert len(set(ALPHABET)) ** 12 > 2**58
