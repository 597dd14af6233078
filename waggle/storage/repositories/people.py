"""Customers, and what they agreed to."""

from dataclasses import asdict
from datetime import datetime

from waggle.domain.consent import ConsentFact
from waggle.domain.customer import Customer
from waggle.storage import tables
from waggle.storage.repositories.base import Repository, by_key, value_of


class Customers(Repository):
    def get(self, customer_id: str) -> Customer | None:
        row = self._one(tables.customers, customer_id=customer_id)
        return None if row is None else value_of(Customer, row)

    def save(self, customer: Customer) -> None:
        self._save(tables.customers, asdict(customer))


class Consents(Repository):
    def add(self, fact: ConsentFact) -> None:
        self._add(tables.consents, asdict(fact))

    def facts(self, customer_id: str, purpose: str, channel: str) -> list[ConsentFact]:
        key = {"customer_id": customer_id, "purpose": purpose, "channel": channel}
        return self._all(ConsentFact, by_key(tables.consents, tuple(key)), key)


class Suppressions(Repository):
    def add(self, customer_id: str, channel: str, reason: str, at: datetime) -> None:
        row = {"customer_id": customer_id, "channel": channel, "reason": reason, "since": at}
        self._save(tables.suppressions, row)

    def reason(self, customer_id: str, channel: str) -> str | None:
        row = self._one(tables.suppressions, customer_id=customer_id, channel=channel)
        return None if row is None else str(row.reason)
