"""Credit points for orders, and tell when a customer reaches another level."""

import tomllib
from itertools import pairwise
from pathlib import Path

import msgspec

from waggle.domain.enrolment import Enrolment
from waggle.domain.loyalty import Level, LoyaltyEntry, LoyaltyRules, account_of, tiers_in_order
from waggle.errors import BadSettings, PermanentFailure
from waggle.log import get_logger
from waggle.ports.clock import Clock
from waggle.ports.unit_of_work import Transaction, UnitOfWork
from waggle.services.keys import OWN_SOURCE
from waggle.services.own_facts import tell

log = get_logger(__name__)

_UNEARNED = frozenset({"cancelled", "returned"})


class _Level(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    from_points: int


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    minor_per_point: int
    levels: dict[str, _Level] = {}


def load_loyalty(config_dir: Path) -> LoyaltyRules:
    """Read `loyalty.toml`.

    Raises:
        BadSettings: LOYALTY_WRONG, the file is missing, a key is wrong, or the levels do not rise.
    """
    file = config_dir / "loyalty.toml"
    try:
        said = msgspec.convert(tomllib.loads(file.read_text(encoding="utf-8")), _File)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise BadSettings("LOYALTY_WRONG", f"{file}: {error}") from error
    levels = [Level(name, level.from_points) for name, level in said.levels.items()]
    if said.minor_per_point < 1:
        raise BadSettings("LOYALTY_WRONG", f"{file}: minor_per_point must be at least 1")
    if any(lower.from_points >= higher.from_points for lower, higher in pairwise(levels)):
        raise BadSettings("LOYALTY_WRONG", f"{file}: write the levels from the lowest to the highest")
    return LoyaltyRules(said.minor_per_point, levels)


class Loyalty:
    """The points' desk; what it books are events like all others, told under an id of their own."""

    def __init__(self, store: UnitOfWork, rules: LoyaltyRules, clock: Clock) -> None:
        self._store = store
        self._rules = rules
        self._clock = clock

    async def credit(self, enrolment_id: str) -> int:
        """Credit what the enrolment's order earns, once per order, and return it; 0 if it was cancelled or returned.

        A level that is reached by it is told too.

        Raises:
            PermanentFailure: ENROLMENT_UNKNOWN.
        """

        def credit(tx: Transaction) -> int:
            enrolment = _known(tx, enrolment_id)
            order = tx.orders.get(enrolment.order_id) if enrolment.order_id is not None else None
            customer = tx.customers.get(enrolment.customer_id) if enrolment.customer_id is not None else None
            if order is None or customer is None or customer.erased or order.state in _UNEARNED:
                return 0
            points = self._rules.points_for(order.total_minor)
            if points:
                self._book(tx, customer.customer_id, order.order_id, points)
            return points

        points = await self._store.run(credit)
        log.info("points credited", enrolment_id=enrolment_id, points=points)
        return points

    def _book(self, tx: Transaction, customer_id: str, order_id: str, points: int) -> None:
        now, event_id = self._clock.now(), f"points:{order_id}"
        entries = tx.loyalty.of_customer(customer_id)
        if any(entry.event_id == event_id and entry.source == OWN_SOURCE for entry in entries):
            return
        data = {"customer_id": customer_id, "points": points, "order_id": order_id}
        tell(tx, "points-earned", event_id, data, now)
        # What the event will say once it is applied stands already, so that the next order counts it.
        earned = LoyaltyEntry(
            source=OWN_SOURCE, event_id=event_id, customer_id=customer_id, at=now, points=points, order_id=order_id
        )
        tx.loyalty.save(earned)
        account = account_of([*entries, earned])
        reached = self._rules.level_at(account.points)
        if reached is not None and self._rules.rank(reached) > self._rules.rank(account.tier):
            tell(tx, "tier-changed", f"tier:{order_id}", {"customer_id": customer_id, "tier": reached}, now)

    async def rose(self, enrolment_id: str, tier: str) -> bool:
        """Say whether the enrolment's customer came to *tier* from a lower level, or from none.

        Raises:
            PermanentFailure: ENROLMENT_UNKNOWN.
        """

        def ask(tx: Transaction) -> bool:
            enrolment = _known(tx, enrolment_id)
            entries = tx.loyalty.of_customer(enrolment.customer_id) if enrolment.customer_id is not None else []
            before = None
            for told in tiers_in_order(entries):
                if told == tier:
                    break
                before = told
            return self._rules.rank(tier) > self._rules.rank(before)

        return await self._store.read(ask)


def _known(tx: Transaction, enrolment_id: str) -> Enrolment:
    enrolment = tx.enrolments.get(enrolment_id)
    if enrolment is None:
        raise PermanentFailure("ENROLMENT_UNKNOWN", enrolment_id)
    return enrolment
