"""Points and levels; memberships of advertising audiences."""

from collections.abc import Collection
from dataclasses import asdict

from sqlalchemy import Connection, select

from waggle.domain.audience import Membership
from waggle.domain.loyalty import LoyaltyEntry
from waggle.storage import tables
from waggle.storage.among import among
from waggle.storage.repositories.base import Repository, value_of
from waggle.storage.repositories.identities import Identities, OfPersons
from waggle.storage.vault import Vault

_L = tables.loyalty_entries.c
_OF_MANY = select(tables.loyalty_entries).where(among(_L.customer_id, "ids")).order_by(_L.at, _L.source, _L.event_id)


class Loyalty(OfPersons):
    def __init__(self, connection: Connection, vault: Vault, identities: Identities) -> None:
        super().__init__(connection, vault, identities)
        self._prepared: dict[str, list[LoyaltyEntry]] = {}

    def prepare(self, customer_ids: Collection[str]) -> None:
        person_of = {each: self._identities.resolve(each) for each in customer_ids}
        self._prepared = {person: [] for person in person_of.values()}
        ids = {each for customer_id in customer_ids for each in self._identities.all_of(customer_id)}
        for entry in self._all(LoyaltyEntry, _OF_MANY, {"ids": sorted(ids)}):
            self._prepared[self._identities.resolve(entry.customer_id)].append(entry)

    def save(self, entry: LoyaltyEntry) -> None:
        self._prepared.clear()
        self._save(tables.loyalty_entries, asdict(entry))

    def of_customer(self, customer_id: str) -> list[LoyaltyEntry]:
        person = self._identities.resolve(customer_id)
        if person in self._prepared:
            return list(self._prepared[person])
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
