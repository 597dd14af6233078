"""Which ids are one person."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection, Select, bindparam, delete, or_, select

from waggle.domain.identity import Claim, ClaimKind, MergeWord
from waggle.storage import tables
from waggle.storage.among import among
from waggle.storage.repositories.base import Repository, by_key
from waggle.storage.vault import Vault


def _members() -> Select[Any]:
    t = tables.merged_ids
    person = select(t.c.person_id).where(t.c.customer_id == bindparam("ref")).scalar_subquery()
    return select(t.c.customer_id, t.c.person_id).where(t.c.person_id == person).order_by(t.c.customer_id)


def _members_of_many() -> Select[Any]:
    t = tables.merged_ids
    persons = select(t.c.person_id).where(among(t.c.customer_id, "refs"))
    return select(t.c.customer_id, t.c.person_id).where(t.c.person_id.in_(persons)).order_by(t.c.customer_id)


def _owners() -> Select[Any]:
    t, p = tables.identities, tables.merged_ids
    columns = (t.c.value, t.c.customer_id, p.c.person_id)
    joined = select(*columns).join_from(t, p, t.c.customer_id == p.c.customer_id, isouter=True)
    return joined.where(t.c.kind == "anonymous", among(t.c.value, "browsers"))


def _browsers() -> Select[Any]:
    t = tables.identities
    return select(t.c.customer_id, t.c.value).where(t.c.kind == "anonymous", among(t.c.customer_id, "ids"))


def _claimants() -> Select[Any]:
    t = tables.identities
    claimed = (t.c.kind == bindparam("kind"), t.c.value == bindparam("value"))
    return select(t.c.customer_id).where(*claimed).order_by(t.c.customer_id).limit(bindparam("most"))


_MEMBERS = _members()
_CLAIMANTS = _claimants()
_MEMBERS_OF_MANY = _members_of_many()
_OWNERS = _owners()
_BROWSERS = _browsers()
_CLAIMS = by_key(tables.identities, ("customer_id",)).order_by(tables.identities.c.kind, tables.identities.c.value)


class Identities(Repository):
    """Asked for the same person again and again in a transaction, so answers are kept until something is saved."""

    def __init__(self, connection: Connection, vault: Vault) -> None:
        super().__init__(connection, vault)
        self._persons: dict[str, tuple[str, tuple[str, ...]]] = {}
        self._owners: dict[str, str | None] = {}

    def resolve(self, ref: str) -> str:
        return self._person(ref)[0]

    def prepare(self, refs: Iterable[str]) -> None:
        wanted = [each for each in set(refs) if each not in self._persons]
        if len(wanted) < 2:  # noqa: PLR2004 -- one is asked for as well alone
            return
        members: dict[str, list[str]] = {}
        for row in self._connection.execute(_MEMBERS_OF_MANY, {"refs": wanted}):
            members.setdefault(row.person_id, []).append(row.customer_id)
        self._persons.update((each, (each, (each,))) for each in wanted)
        for person, ids in members.items():
            self._persons.update((each, (person, tuple(ids))) for each in ids)

    def learn_alone(self, customer_id: str) -> None:
        """Know from elsewhere that the id was merged with nobody."""
        self._persons[customer_id] = (customer_id, (customer_id,))

    def all_of(self, ref: str) -> tuple[str, ...]:
        return self._person(ref)[1]

    def owner_of(self, anonymous_id: str) -> str | None:
        self.prepare_owners([anonymous_id])
        return self._owners[anonymous_id]

    def prepare_owners(self, anonymous_ids: Iterable[str]) -> None:
        wanted = sorted(set(anonymous_ids) - self._owners.keys())
        if not wanted:
            return
        found: dict[str, set[str]] = {each: set() for each in wanted}
        for row in self._connection.execute(_OWNERS, {"browsers": wanted}):
            found[row.value].add(row.person_id or row.customer_id)
        self._owners.update((each, min(who) if len(who) == 1 else None) for each, who in found.items())

    def anonymous_of(self, ref: str) -> tuple[str, ...]:
        return self.anonymous_of_many([ref])[self.resolve(ref)]

    def anonymous_of_many(self, refs: Collection[str]) -> dict[str, tuple[str, ...]]:
        persons = {self.resolve(each) for each in refs}
        ids = sorted({each for person in persons for each in self.all_of(person)})
        claimed = self._connection.execute(_BROWSERS, {"ids": ids}).all()
        self.prepare_owners(row.value for row in claimed)
        owned: dict[str, set[str]] = {each: set() for each in persons}
        for row in claimed:
            person = self.resolve(row.customer_id)
            if self._owners[row.value] == person:
                owned[person].add(row.value)
        return {person: tuple(sorted(theirs)) for person, theirs in owned.items()}

    def blind(self, kind: ClaimKind, value: str) -> str:
        return value if kind == "anonymous" else self._vault.blind(kind, value.lower())

    def claims_of(self, customer_id: str) -> list[Claim]:
        return self._all(Claim, _CLAIMS, {"customer_id": customer_id})

    def claimants(self, kind: ClaimKind, value: str, limit: int) -> list[str]:
        return list(self._connection.scalars(_CLAIMANTS, {"kind": kind, "value": value, "most": limit}))

    def customers_with(self, kind: ClaimKind, value: str) -> Collection[str]:
        t = tables.identities
        found = select(t.c.customer_id).where(t.c.kind == kind, t.c.value == self.blind(kind, value))
        return list(self._connection.scalars(found.order_by(t.c.customer_id)))

    def save_claim(self, claim: Claim) -> None:
        self._forget_answers()
        self._save(tables.identities, asdict(claim))

    def drop_claim(self, claim: Claim) -> None:
        self._forget_answers()
        t = tables.identities
        key = (t.c.kind == claim.kind, t.c.value == claim.value, t.c.customer_id == claim.customer_id)
        self._connection.execute(delete(t).where(*key))

    def add_word(self, word: MergeWord) -> None:
        self._save(tables.merges, asdict(word))

    def words_on(self, customer_id: str) -> list[MergeWord]:
        t = tables.merges
        about = or_(t.c.customer_id == customer_id, t.c.merged_customer_id == customer_id)
        return self._all(MergeWord, select(t).where(about).order_by(t.c.at, t.c.source, t.c.event_id))

    def save_persons(self, persons: Mapping[str, str]) -> None:
        self._forget_answers()
        t = tables.merged_ids
        rows = self._connection.execute(select(t).where(t.c.customer_id.in_(list(persons))))
        known = {row.customer_id: row.person_id for row in rows}
        sizes = Counter(persons.values())
        for customer_id, person in persons.items():
            alone = sizes[person] == 1
            if alone and customer_id in known:
                self._connection.execute(delete(t).where(t.c.customer_id == customer_id))
            elif not alone and known.get(customer_id) != person:
                self._save(t, {"customer_id": customer_id, "person_id": person})

    def _person(self, ref: str) -> tuple[str, tuple[str, ...]]:
        if ref not in self._persons:
            rows = self._connection.execute(_MEMBERS, {"ref": ref}).all()
            ids = tuple(row.customer_id for row in rows)
            self._persons[ref] = (rows[0].person_id, ids) if rows else (ref, (ref,))
        return self._persons[ref]

    def _forget_answers(self) -> None:
        self._persons.clear()
        self._owners.clear()


class OfPersons(Repository):
    """Rows that name customers as they were told: those of ids that are one person are read together."""

    def __init__(self, connection: Connection, vault: Vault, identities: Identities) -> None:
        super().__init__(connection, vault)
        self._identities = identities
