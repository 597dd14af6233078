"""Effects beyond messages and coupons, and the days on which occasions were looked for."""

from collections.abc import Collection
from dataclasses import asdict
from datetime import datetime

from sqlalchemy import bindparam, select, update

from waggle.domain.effect import Effect
from waggle.storage import tables
from waggle.storage.repositories.base import Repository, value_of


class Effects(Repository):
    def get(self, enrolment_id: str, step: str) -> Effect | None:
        row = self._one(tables.effects, enrolment_id=enrolment_id, step=step)
        return None if row is None else value_of(Effect, row)

    def by_id(self, effect_id: str) -> Effect | None:
        row = self._one(tables.effects, effect_id=effect_id)
        return None if row is None else value_of(Effect, row)

    def save(self, effect: Effect) -> None:
        self._save(tables.effects, asdict(effect))

    def of_enrolment(self, enrolment_id: str) -> list[Effect]:
        t = tables.effects
        of_it = t.c.enrolment_id == enrolment_id
        return self._all(Effect, select(t).where(of_it).order_by(t.c.planned_at, t.c.effect_id))

    def of_customers(self, customer_ids: Collection[str]) -> list[Effect]:
        t = tables.effects
        of_them = t.c.customer_id.in_(customer_ids)
        return self._all(Effect, select(t).where(of_them).order_by(t.c.planned_at, t.c.effect_id))

    def in_doubt(self) -> list[Effect]:
        t = tables.effects
        # Written out, as in the index: SQLite uses a partial index only if it sees that the condition holds.
        doubtful = t.c.state == bindparam("doubtful", "in_doubt", literal_execute=True)
        return self._all(Effect, select(t).where(doubtful).order_by(t.c.handed_over_at, t.c.effect_id))


class OccasionRuns(Repository):
    def begin(self, day: str, at: datetime, stale_before: datetime) -> bool:
        row = self._one(tables.occasion_runs, day=day)
        if row is not None and (row.finished_at is not None or row.started_at > stale_before):
            return False
        self._save(tables.occasion_runs, {"day": day, "started_at": at, "finished_at": None})
        return True

    def finish(self, day: str, at: datetime) -> None:
        t = tables.occasion_runs
        self._seen.clear()
        self._connection.execute(update(t).where(t.c.day == day).values(finished_at=at))
