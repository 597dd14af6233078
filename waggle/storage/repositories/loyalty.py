"""Points and levels; memberships of advertising audiences."""

from dataclasses import asdict

from sqlalchemy import select

from waggle.domain.audience import Membership
from waggle.domain.loyalty import LoyaltyEntry
from waggle.storage import tables
from waggle.storage.repositories.base import Repository, value_of
from waggle.storage.repositories.identities import OfPersons


class Loyalty(OfPersons):
    def save(self, entry: LoyaltyEntry) -> None:
        self._save(tables.loyalty_entries, asdict(entry))

    def of_customer(self, customer_id: str) -> list[LoyaltyEntry]:
        t = tables.loyalty_entries
        of_them = t.c.customer_id.in_(self._identities.all_of(customer_id))
        return self._all(LoyaltyEntry, select(t).where(of_them).order_by(t.c.at, t.c.source, t.c.event_id))


class Audiences(Repository):
    def get(self, enrolment_id: str) -> Membership | None:
        row = self._one(tables.audience_memberships, enrolment_id=enrolment_id)
        return None if row is None else value_of(Membership, row)

    def save(self, membership: Membership) -> None:
        self._save(tables.audience_memberships, asdict(membership))

    def left_behind(self, limit: int) -> list[Membership]:
        m, e = tables.audience_memberships, tables.enrolments
        ended = select(m).join(e, e.c.enrolment_id == m.c.enrolment_id)
        ended = ended.where(m.c.removed_at.is_(None), e.c.state == "ended")
        return self._all(Membership, ended.order_by(m.c.added_at).limit(limit))
