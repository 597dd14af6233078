"""Coupons and their budgets."""

from dataclasses import asdict
from datetime import datetime

from sqlalchemy import select

from waggle.domain.coupon import BudgetUse, Coupon
from waggle.storage import tables
from waggle.storage.repositories.base import Repository, by_key, value_of


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

    def save(self, coupon: Coupon) -> None:
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
        expired = select(t).where(t.c.state == "reserved", t.c.expires_at <= now)
        return self._all(Coupon, expired.order_by(t.c.expires_at).limit(limit))
