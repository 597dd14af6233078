"""The numbers of a demo, counted in the mailbox and in the database, and what mails brought in."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypedDict

from waggle.demo.oracle.books import held_carts, is_abandoned, reasons
from waggle.demo.oracle.comparison import compare
from waggle.demo.oracle.mails import Difference, sort_mails
from waggle.demo.oracle.rules import Rules
from waggle.demo.scenario import Deed, Facts, Mail, Scenario

_NEVER = datetime.max.replace(tzinfo=UTC)


class Spread(TypedDict):
    """Seconds; zeros if nothing was measured."""

    p50: float
    p99: float
    max: float


class EngineNumbers(TypedDict):
    """Which engine ran, and how long its start took on the wall's clock."""

    version: str
    ready_s: float


class Report(TypedDict):
    """What `waggle demo --report` writes.

    abandoned = sent + the sum of not_sent. `held` are those of `sent` whose first mail quiet hours held; only the
    others are in abandonment_to_send_s, which runs from the last activity in the cart to the mail server's acceptance
    on the journeys' clock.
    """

    shoppers: int
    carts: int
    abandoned: int
    sent: int
    reminders: int
    held: int
    not_sent: dict[str, int]
    duplicates: int
    incidents: int
    differences: int
    abandonment_to_send_s: Spread
    engine: EngineNumbers
    wall_s: float


@dataclass(frozen=True, slots=True)
class Recovery:
    """How many left carts of a group became orders, and of what worth in cents."""

    group: str
    carts: int
    orders: int
    revenue_minor: int

    @property
    def rate(self) -> float:
        """Orders per cart."""
        return self.orders / self.carts if self.carts else 0.0

    @property
    def per_cart_minor(self) -> float:
        """Cents per cart, ordered or not."""
        return self.revenue_minor / self.carts if self.carts else 0.0


@dataclass(frozen=True, slots=True)
class Conclusion:
    """All there is to say at the end of a demo."""

    report: Report
    differences: list[Difference]
    mailed: Recovery
    held_out: Recovery

    @property
    def exit_code(self) -> int:
        """1 if anything is not as it should be."""
        return 1 if self.differences or self.report["duplicates"] or self.report["incidents"] else 0


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known at the end: the shop's journal, the mailbox, the database."""

    deeds: Sequence[Deed]
    mails: Sequence[Mail]
    facts: Facts


def conclude(
    scenario: Scenario, evidence: Evidence, rules: Rules, *, engine: EngineNumbers, wall_s: float
) -> Conclusion:
    """Count, compare with the oracle, and measure what the mails brought in."""
    facts = evidence.facts
    by_cart, _ = sort_mails(scenario, evidence.mails)
    differences = compare(scenario, evidence.deeds, evidence.mails, facts, rules)
    arrived = {cart_id: about.first[0].arrived_at for cart_id, about in by_cart.items() if about.first}
    abandoned = {cart_id for cart_id, left in is_abandoned(facts, rules).items() if left}
    noted = reasons(facts)
    unsent = {cart_id: noted.get(cart_id, "not_entered") or "lost" for cart_id in sorted(abandoned - arrived.keys())}
    held = held_carts(facts) & arrived.keys()
    report = Report(
        shoppers=len(scenario.shoppers),
        carts=len(facts.carts),
        abandoned=len(abandoned),
        sent=len(arrived),
        reminders=sum(bool(about.reminders) for about in by_cart.values()),
        held=len(held),
        not_sent=dict(sorted(Counter(unsent.values()).items())),
        duplicates=sum(about.duplicates for about in by_cart.values()),
        incidents=facts.incidents,
        differences=len(differences),
        abandonment_to_send_s=_delays(facts, {cart: at for cart, at in arrived.items() if cart not in held}),
        engine=engine,
        wall_s=round(wall_s, 1),
    )
    idle_at = {cart["cart_id"]: cart["last_activity_at"] + rules.idle for cart in facts.carts}
    held_out = {cart_id: idle_at[cart_id] for cart_id, reason in unsent.items() if reason == "holdout"}
    return Conclusion(report, differences, _recovery("mailed", facts, arrived), _recovery("held out", facts, held_out))


def _delays(facts: Facts, arrived: Mapping[str, datetime]) -> Spread:
    left_at = {cart["cart_id"]: cart["last_activity_at"] for cart in facts.carts}
    delays_s = sorted((at - left_at[cart_id]).total_seconds() for cart_id, at in arrived.items() if cart_id in left_at)
    return Spread(p50=_percentile(delays_s, 50), p99=_percentile(delays_s, 99), max=_percentile(delays_s, 100))


def _percentile(ordered: Sequence[float], percent: int) -> float:
    """Return the smallest value that *percent* of all do not exceed (nearest rank)."""
    if not ordered:
        return 0.0
    return round(ordered[max(0, -(-len(ordered) * percent // 100) - 1)], 1)


def _recovery(group: str, facts: Facts, since: Mapping[str, datetime]) -> Recovery:
    """Count the orders of the carts in *since* that were placed after the time given there."""
    orders = [order for order in facts.orders if order["placed_at"] > since.get(order["cart_id"] or "", _NEVER)]
    return Recovery(group, len(since), len(orders), sum(order["total_minor"] for order in orders))
