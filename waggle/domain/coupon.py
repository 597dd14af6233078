"""Coupons and what may be spent on them."""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

CouponState = Literal["reserved", "issued", "redeemed", "reversed"]

# Without 0, 1, I, L, O and U: people type codes from a phone, and no code spells a word by accident.
ALPHABET = "23456789ABCDEFGHJKMNPQRSTVWXYZ"
CODE_LENGTH = 12
"""12 characters of 30 hold 58 bits, so that codes cannot be guessed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CouponCampaign:
    """One offer and its budget, as `config/coupons.toml` declares it."""

    name: str
    percent: int
    valid_for: timedelta
    max_discount_minor: int
    """The most one coupon can cost; with the cart's value it gives what is set aside for it."""
    currency: str
    budget_count: int
    budget_minor: int

    def cost_minor(self, cart_value_minor: int) -> int:
        """Return what one coupon may cost at most, in minor units."""
        return min(-(-cart_value_minor * self.percent // 100), self.max_discount_minor)


@dataclass(frozen=True, slots=True, kw_only=True)
class Coupon:
    """reserved (budget set aside) -> issued (its message left) -> redeemed; reversed gives the budget back."""

    coupon_id: str
    enrolment_id: str
    step: str
    campaign: str
    code: str
    percent: int
    cost_minor: int
    customer_id: str | None
    state: CouponState
    reserved_at: datetime
    expires_at: datetime
    issued_at: datetime | None = None
    closed_at: datetime | None = None
    """When it was redeemed or reversed."""
    order_id: str | None = None


@dataclass(frozen=True, slots=True)
class BudgetUse:
    """What of a campaign's budget is taken, by coupons that are not reversed."""

    count: int = 0
    cost_minor: int = 0
    currency: str | None = None
    """None: unknown, since every coupon so far is older than the counting."""

    def leaves_room_for(self, campaign: CouponCampaign, cost_minor: int) -> bool:
        """Say whether one more coupon of *cost_minor* stays within both limits of *campaign*."""
        return self.count + 1 <= campaign.budget_count and self.cost_minor + cost_minor <= campaign.budget_minor

    def and_one(self, cost_minor: int, currency: str) -> "BudgetUse":
        """Return the use with one more coupon of *cost_minor*."""
        return BudgetUse(self.count + 1, self.cost_minor + cost_minor, currency)

    def less_one(self, cost_minor: int) -> "BudgetUse":
        """Return the use with one coupon of *cost_minor* less."""
        return BudgetUse(self.count - 1, self.cost_minor - cost_minor, self.currency)


def new_code() -> str:
    """Return a code that nobody can guess, in groups of four: `7KQM-2XWA-R9TZ`."""
    drawn = "".join(secrets.choice(ALPHABET) for _ in range(CODE_LENGTH))
    return "-".join(drawn[start : start + 4] for start in range(0, CODE_LENGTH, 4))
