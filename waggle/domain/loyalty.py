"""Points that orders earn, and the levels that points reach."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class LoyaltyEntry:
    """What one event says of one customer's account: points earned, or a level reached."""

    source: str
    event_id: str
    customer_id: str
    at: datetime
    points: int = 0
    order_id: str | None = None
    tier: str | None = None


@dataclass(frozen=True, slots=True)
class LoyaltyAccount:
    """What all entries together say; they may arrive in any order."""

    points: int
    tier: str | None


@dataclass(frozen=True, slots=True)
class Level:
    """One level of the programme."""

    name: str
    from_points: int


@dataclass(frozen=True, slots=True)
class LoyaltyRules:
    """How points are earned; `levels` from the lowest to the highest."""

    minor_per_point: int
    levels: Sequence[Level] = ()

    def points_for(self, total_minor: int) -> int:
        """Return what an order of this total earns; parts of a point are not given."""
        return max(total_minor, 0) // self.minor_per_point

    def level_at(self, points: int) -> str | None:
        """Return the highest level that *points* reach."""
        reached = [level.name for level in self.levels if points >= level.from_points]
        return reached[-1] if reached else None

    def rank(self, tier: str | None) -> int:
        """Return the place of a level, 1 the lowest; 0 for none or one that is not known here."""
        return next((place for place, level in enumerate(self.levels, start=1) if level.name == tier), 0)


def account_of(entries: Iterable[LoyaltyEntry]) -> LoyaltyAccount:
    """Return the sum of all points and the newest level."""
    known = list(entries)
    tiers = tiers_in_order(known)
    return LoyaltyAccount(sum(entry.points for entry in known), tiers[-1] if tiers else None)


def tiers_in_order(entries: Iterable[LoyaltyEntry]) -> list[str]:
    """Return the levels that were reached, the newest last."""
    told = sorted((entry.at, entry.source, entry.event_id, entry.tier) for entry in entries if entry.tier is not None)
    return [tier for *_, tier in told]
