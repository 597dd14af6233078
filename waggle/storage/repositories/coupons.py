"""Coupons and their budgets."""

from collections.abc import Collection, Iterable
from dataclasses import asdict
from datetime import datetime

from sqlalchemy import literal_column, select

from waggle.domain.coupon import BudgetUse, Coupon
from waggle.domain.outcome import of_coupon
from waggle.storage import tables
from waggle.storage.repositories.base import Repository, by_key, value_of
from waggle.storage.repositories.streams import tell


class Coupons(Repository):
    def get(self, coupon_id: str) -> Coupon | None:
        row = self._one(tables.coupons, coupon_id=coupon_id)
        return None if row is None else value_of(Coupon, row)

    def of_step(self, enrolment_id: str, step: str) -> Coupon | None:
        row = self._one(tables.coupons, enrolment_id=enrolment_id, step=step)
        return None if row is None else value_of(Coupon, row)

    def of_enrolment(self, enrolment_id: str) -> list[Coupon]:
        key = {"enrolment_id": enrolment_id}
        return self._all(Coupon, by_key(tables.coupons, tuple(key)), key)

    def by_code(self, code: str) -> Coupon | None:
        row = self._one(tables.coupons, code=code)
        return None if row is None else value_of(Coupon, row)

    def prepare(self, codes: Iterable[str]) -> None:
        self._prepare(tables.coupons, "code", codes)

    def of_customers(self, customer_ids: Collection[str]) -> list[Coupon]:
        t = tables.coupons
        found = select(t).where(t.c.customer_id.in_(customer_ids)).order_by(t.c.reserved_at, t.c.coupon_id)
        return self._all(Coupon, found)

    def save(self, coupon: Coupon) -> None:
        if coupon.state != "reserved":
            tell(self._connection, of_coupon(self.get(coupon.coupon_id), coupon))
        self._save(tables.coupons, asdict(coupon))

    def budget_use(self, campaign: str) -> BudgetUse:
        row = self._one(tables.coupon_budgets, campaign=campaign)
        return BudgetUse() if row is None else BudgetUse(row.taken_count, row.taken_minor, row.currency)

    def set_budget_use(self, campaign: str, use: BudgetUse) -> None:
        row = {"campaign": campaign, "currency": use.currency}
        self._save(tables.coupon_budgets, {**row, "taken_count": use.count, "taken_minor": use.cost_minor})

    def wait_for_budgets(self) -> None:
        if self._connection.dialect.name == "postgresql":
            # The one statement that waits without fixing what the transaction will see.
            self._connection.exec_driver_sql("LOCK TABLE coupon_budgets IN SHARE ROW EXCLUSIVE MODE")

    def stale(self, now: datetime, limit: int) -> list[Coupon]:
        t = tables.coupons
        # Written out, as in the index: SQLite uses a partial index only if it sees that the condition holds.
        expired = select(t).where(t.c.state == literal_column("'reserved'"), t.c.expires_at <= now)
        return self._all(Coupon, expired.order_by(t.c.expires_at).limit(limit))
