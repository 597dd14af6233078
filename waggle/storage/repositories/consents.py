"""What people agreed to, the wordings they saw, and whom not to use or write to."""

from collections.abc import Collection, Mapping
from dataclasses import asdict, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, bindparam, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite

from waggle.domain.consent import ConsentFact, Restriction
from waggle.storage import tables
from waggle.storage.among import among
from waggle.storage.repositories.base import Repository
from waggle.storage.repositories.identities import Identities, OfPersons
from waggle.storage.vault import Vault

_CONSENTS_OF_MANY = (
    select(tables.consents).where(among(tables.consents.c.customer_id, "ids")).order_by(tables.consents.c.fact_id)
)
_CONSENTS_FOR_PURPOSE = select(tables.consents).where(
    among(tables.consents.c.customer_id, "ids"), tables.consents.c.purpose == bindparam("purpose")
)
_RESTRICTIONS_OF_MANY = select(tables.restrictions).where(among(tables.restrictions.c.customer_id, "ids"))
_SUPPRESSIONS_OF_MANY = select(tables.suppressions).where(
    tables.suppressions.c.channel == bindparam("channel"), among(tables.suppressions.c.customer_id, "ids")
)
_SUPPRESSED_ADDRESSES_OF_MANY = select(tables.suppressed_addresses).where(
    tables.suppressed_addresses.c.channel == bindparam("channel"), among(tables.suppressed_addresses.c.blind, "blinds")
)


class Consents(OfPersons):
    def __init__(self, connection: Connection, vault: Vault, identities: Identities) -> None:
        super().__init__(connection, vault, identities)
        # As they are stored: what is personal in them is opened when it is asked for.
        self._prepared: dict[str, list[ConsentFact]] = {}

    def prepare(self, customer_ids: Collection[str]) -> None:
        ids = {each for customer_id in customer_ids for each in self._identities.all_of(customer_id)}
        self._prepared = {each: [] for each in ids}
        for fact in self._all(ConsentFact, _CONSENTS_OF_MANY, {"ids": sorted(ids)}):
            self._prepared[fact.customer_id].append(fact)

    def add(self, fact: ConsentFact) -> None:
        self._prepared.clear()
        dialect = postgresql if self._connection.dialect.name == "postgresql" else sqlite
        row = asdict(fact)
        if fact.ip is not None:
            row["ip"] = self._vault.seal(fact.customer_id, _place(fact), fact.ip)
        t = tables.consents
        self._connection.execute(
            dialect.insert(t).values(row).on_conflict_do_nothing(index_elements=["source", "event_id"])
        )

    def facts(self, customer_id: str, purpose: str, channel: str) -> list[ConsentFact]:
        t = tables.consents
        ids = self._ids(customer_id)
        if self._prepared.keys() >= set(ids):
            known = (fact for each in ids for fact in self._prepared[each])
            return [self._opened(fact) for fact in known if (fact.purpose, fact.channel) == (purpose, channel)]
        return self._read(
            select(t).where(
                t.c.customer_id.in_(ids),
                t.c.purpose == purpose,
                t.c.channel == channel,
            )
        )

    def of_purpose(self, customer_id: str, purpose: str) -> list[ConsentFact]:
        ids = self._ids(customer_id)
        if self._prepared.keys() >= set(ids):
            known = (fact for each in ids for fact in self._prepared[each])
            return [self._opened(fact) for fact in known if fact.purpose == purpose]
        found = self._all(ConsentFact, _CONSENTS_FOR_PURPOSE, {"ids": ids, "purpose": purpose})
        return [self._opened(fact) for fact in found]

    def of_customer(self, customer_id: str) -> list[ConsentFact]:
        t = tables.consents
        return self._read(
            select(t).where(t.c.customer_id.in_(self._ids(customer_id))).order_by(t.c.stated_at, t.c.fact_id)
        )

    def forget(self, customer_id: str, told_until: datetime) -> list[ConsentFact]:
        t = tables.consents
        sealed = (t.c.customer_id == customer_id, t.c.ip.is_not(None))
        later = self._read(select(t).where(*sealed, t.c.stated_at > told_until))
        self._prepared.clear()
        self._connection.execute(update(t).where(*sealed).values(ip=None))
        return later

    def seal_anew(self, facts: Collection[ConsentFact]) -> None:
        t = tables.consents
        self._prepared.clear()
        for fact in facts:
            if fact.ip is not None:
                sealed = self._vault.seal(fact.customer_id, _place(fact), fact.ip)
                said = (t.c.source == fact.source, t.c.event_id == fact.event_id)
                self._connection.execute(update(t).where(*said).values(ip=sealed))

    def drop_requested(self, customer_id: str, purpose: str, channel: str, before: datetime) -> None:
        t = tables.consents
        self._prepared.clear()
        self._connection.execute(
            delete(t).where(
                t.c.customer_id.in_(self._ids(customer_id)),
                t.c.purpose == purpose,
                t.c.channel == channel,
                t.c.state == "requested",
                t.c.stated_at <= before,
            )
        )

    def _ids(self, customer_id: str) -> list[str]:
        return list(self._identities.all_of(customer_id))

    def _read(self, statement: Select[Any]) -> list[ConsentFact]:
        return [self._opened(fact) for fact in self._all(ConsentFact, statement)]

    def _opened(self, fact: ConsentFact) -> ConsentFact:
        return fact if fact.ip is None else replace(fact, ip=self._vault.open(fact.customer_id, _place(fact), fact.ip))


def _place(fact: ConsentFact) -> str:
    return f"consents.ip/{fact.source}/{fact.event_id}"


class ConsentTexts(Repository):
    def add(self, version: str, language: str, sha256: str, text: str, at: datetime) -> None:
        row = {"version": version, "language": language, "sha256": sha256, "text": text, "first_seen_at": at}
        self._add(tables.consent_texts, row)

    def sha256s(self, version: str) -> Mapping[str, str]:
        t = tables.consent_texts
        rows = self._connection.execute(select(t.c.language, t.c.sha256).where(t.c.version == version))
        return {row.language: row.sha256 for row in rows}

    def text(self, version: str, language: str) -> str | None:
        row = self._one(tables.consent_texts, version=version, language=language)
        return None if row is None else str(row.text)


class Restrictions(OfPersons):
    def __init__(self, connection: Connection, vault: Vault, identities: Identities) -> None:
        super().__init__(connection, vault, identities)
        self._prepared: dict[str, list[Restriction]] = {}

    def prepare(self, customer_ids: Collection[str]) -> None:
        ids = {each for customer_id in customer_ids for each in self._identities.all_of(customer_id)}
        self._prepared = {each: [] for each in ids}
        for word in self._all(Restriction, _RESTRICTIONS_OF_MANY, {"ids": sorted(ids)}):
            self._prepared[word.customer_id].append(word)

    def add(self, word: Restriction) -> None:
        self._prepared.clear()
        self._save(tables.restrictions, asdict(word))

    def of(self, customer_id: str) -> list[Restriction]:
        t = tables.restrictions
        ids = self._identities.all_of(customer_id)
        if self._prepared.keys() >= set(ids):
            return [word for each in ids for word in self._prepared[each]]
        return self._all(Restriction, select(t).where(t.c.customer_id.in_(list(ids))))


class Suppressions(OfPersons):
    def prepare(self, customer_ids: Collection[str], addresses: Collection[str], channel: str) -> None:
        t, a = tables.suppressions, tables.suppressed_addresses
        ids = {each for customer_id in customer_ids for each in self._identities.all_of(customer_id)}
        self._seen.update(((t, (("customer_id", each), ("channel", channel))), None) for each in ids)
        for row in self._connection.execute(_SUPPRESSIONS_OF_MANY, {"ids": sorted(ids), "channel": channel}):
            self._seen[t, (("customer_id", row.customer_id), ("channel", channel))] = row
        blinds = {self._blind(address) for address in addresses}
        self._seen.update(((a, (("blind", each), ("channel", channel))), None) for each in blinds)
        given = {"blinds": sorted(blinds), "channel": channel}
        for row in self._connection.execute(_SUPPRESSED_ADDRESSES_OF_MANY, given):
            self._seen[a, (("blind", row.blind), ("channel", channel))] = row

    def add(self, customer_id: str, channel: str, reason: str, at: datetime) -> None:
        row = {"customer_id": customer_id, "channel": channel, "reason": reason, "since": at}
        self._save(tables.suppressions, row)

    def reason(self, customer_id: str, channel: str) -> str | None:
        for each in self._identities.all_of(customer_id):
            row = self._one(tables.suppressions, customer_id=each, channel=channel)
            if row is not None:
                return str(row.reason)
        return None

    def of_customer(self, customer_id: str) -> dict[str, tuple[str, datetime]]:
        t = tables.suppressions
        rows = self._connection.execute(select(t).where(t.c.customer_id == customer_id))
        return {row.channel: (row.reason, row.since) for row in rows}

    def lift(self, customer_id: str, channel: str, reason: str) -> bool:
        t = tables.suppressions
        self._seen.clear()
        ids = self._identities.all_of(customer_id)
        found = delete(t).where(t.c.customer_id.in_(ids), t.c.channel == channel, t.c.reason == reason)
        return bool(self._connection.execute(found).rowcount)

    def forget(self, customer_id: str) -> None:
        t = tables.suppressions
        self._seen.clear()
        self._connection.execute(delete(t).where(t.c.customer_id == customer_id))

    def keep_address(self, address: str, channel: str, reason: str, at: datetime) -> None:
        row = {"blind": self._blind(address), "channel": channel, "reason": reason, "since": at}
        self._save(tables.suppressed_addresses, row)

    def of_address(self, address: str, channel: str) -> tuple[str, datetime] | None:
        row = self._one(tables.suppressed_addresses, blind=self._blind(address), channel=channel)
        return None if row is None else (row.reason, row.since)

    def _blind(self, address: str) -> str:
        return self._vault.blind("email", address.lower())
