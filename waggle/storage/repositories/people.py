"""Customers."""

import json
from collections.abc import Collection
from dataclasses import replace
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, Select, bindparam, select

from waggle.domain.customer import Customer, one_person
from waggle.domain.event import CustomerIdentified, personal_fields
from waggle.domain.telling import Told
from waggle.storage import tables
from waggle.storage.among import among
from waggle.storage.repositories.identities import Identities, OfPersons
from waggle.storage.repositories.telling import decoded, encoded
from waggle.storage.vault import Vault

_PERSONAL = personal_fields(CustomerIdentified)
_OF_IDS = (
    select(tables.customers)
    .where(among(tables.customers.c.customer_id, "ids"))
    .order_by(tables.customers.c.customer_id)
)


def _with_keys() -> Select[Any]:
    c, m, k = tables.customers, tables.merged_ids, tables.person_keys
    keys = (k.c.person, k.c.generation, k.c.wrapped_key, k.c.master_key_id, k.c.destroyed_at)
    joined = c.join(m, m.c.customer_id == c.c.customer_id, isouter=True)
    joined = joined.join(k, k.c.person == c.c.customer_id, isouter=True)
    return select(c, m.c.person_id, *keys).select_from(joined)


_WITH_KEY = _with_keys().where(tables.customers.c.customer_id == bindparam("id"))
_WITH_KEYS = _with_keys().where(among(tables.customers.c.customer_id, "ids"))


class Customers(OfPersons):
    """What says something about the person is sealed with the key of the id that it was told of.

    It reads as unknown once that is destroyed.
    """

    def __init__(self, connection: Connection, vault: Vault, identities: Identities) -> None:
        super().__init__(connection, vault, identities)
        self._profiles: dict[str, tuple[Row[Any], Customer]] = {}

    def get(self, ref: str) -> Customer | None:
        ids = self._identities.all_of(ref)
        if len(ids) == 1:
            return self.profile(ids[0])
        self._vault.prepare(ids)
        rows = self._connection.execute(_OF_IDS, {"ids": list(ids)})
        return one_person(self._identities.resolve(ref), [self._opened(row) for row in rows])

    def prepare(self, refs: Collection[str]) -> None:
        wanted = set(refs)
        # One statement for whoever is one id, which nearly all are; it took three, each as long as the rest.
        given: dict[str, object] = {"id": next(iter(wanted))} if len(wanted) == 1 else {"ids": list(wanted)}
        for row in self._connection.execute(_WITH_KEY if len(wanted) == 1 else _WITH_KEYS, given):
            if row.person_id is None:
                self._identities.learn_alone(row.customer_id)
                self._vault.learn(row.customer_id, row)
                self._seen[tables.customers, (("customer_id", row.customer_id),)] = row
                wanted.discard(row.customer_id)
        self._identities.prepare(wanted)
        ids = {each for ref in wanted for each in self._identities.all_of(ref)}
        self._vault.prepare(row.customer_id for row in self._prepare(tables.customers, "customer_id", ids))

    def profile(self, customer_id: str) -> Customer | None:
        row = self._one(tables.customers, customer_id=customer_id)
        if row is None or self._vault.has_destroyed:
            return None if row is None else self._opened(row)
        known = self._profiles.get(customer_id)
        # Saved since, it would be another row.
        if known is None or known[0] is not row:
            known = self._profiles[customer_id] = (row, self._opened(row))
        return known[1]

    def save(self, customer: Customer) -> None:
        told, personal = _parted(customer.told)
        sealed = None
        if personal:
            place = _place(customer.customer_id)
            sealed = self._vault.seal(customer.customer_id, place, json.dumps(personal))
        self._save(
            tables.customers,
            {
                "customer_id": customer.customer_id,
                "told": encoded(told),
                "sealed": sealed,
                "identified_at": customer.identified_at,
                "erased_at": customer.erased_at,
            },
        )

    def ids_after(self, customer_id: str, limit: int) -> list[str]:
        t = tables.customers
        known = select(t.c.customer_id).where(t.c.customer_id > customer_id, t.c.erased_at.is_(None))
        return list(self._connection.scalars(known.order_by(t.c.customer_id).limit(limit)))

    def _opened(self, row: Row[Any]) -> Customer:
        personal: dict[str, dict[str, Any]] = {}
        if row.sealed is not None:
            opened = self._vault.open(row.customer_id, _place(row.customer_id), row.sealed)
            personal = {} if opened is None else msgspec.json.decode(opened)
        return Customer(
            customer_id=row.customer_id,
            told=decoded(row.told or {}, _PERSONAL, personal),
            identified_at=row.identified_at,
            erased_at=row.erased_at,
        )


def _parted(told: Told) -> tuple[Told, dict[str, dict[str, Any]]]:
    """Return what may stand in the clear, where personal fields have an origin and no value, and their values."""
    plain = {
        field: tuple(replace(each, value=None) for each in tellings) if field in _PERSONAL else tellings
        for field, tellings in told.items()
    }
    personal = {
        field: {each.source: each.value for each in tellings} for field, tellings in told.items() if field in _PERSONAL
    }
    return plain, personal


def _place(customer_id: str) -> str:
    return f"customers.sealed/{customer_id}"
