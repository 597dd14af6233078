"""Persons a page at a time, and what is known of a page of them, each read at once by an index."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select, func, select

from waggle.domain.consent import ConsentFact, is_given
from waggle.domain.customer import Customer, one_person
from waggle.domain.loyalty import LoyaltyEntry, account_of
from waggle.domain.order import Order
from waggle.domain.segment import Part, PersonFacts
from waggle.ports.campaigns import PersonPage
from waggle.storage import tables
from waggle.storage.repositories.base import Repository
from waggle.storage.repositories.shop import _order
from waggle.storage.repositories.telling import decoded


@dataclass(frozen=True, slots=True)
class _Persons:
    """Those of one page: person -> what is known of them under all their ids, and back."""

    known: Mapping[str, Customer]
    person_of: Mapping[str, str]

    @property
    def ids(self) -> list[str]:
        return list(self.person_of)


def _plain() -> Select[Any]:
    t = tables.customers
    return select(t.c.customer_id, t.c.told, t.c.identified_at, t.c.erased_at)


_PLAIN = _plain()


class Segments(Repository):
    """The personal column of a customer is never read here."""

    def page(
        self, after: str, limit: int, parts: Collection[Part], consents: Collection[str], now: datetime
    ) -> PersonPage:
        t = tables.customers
        wanted = _PLAIN.where(t.c.customer_id > after).order_by(t.c.customer_id).limit(limit)
        rows = self._connection.execute(wanted).all()
        last = len(rows) < limit
        cursor = rows[-1].customer_id if rows else after
        persons = self._persons(rows)
        if not persons.known:
            return PersonPage((), cursor, last)
        given = self._consents(persons, consents, now) if "consents" in parts else {}
        orders = self._orders(persons) if "orders" in parts else {}
        filled = self._with_carts(persons) if "carts" in parts else frozenset[str]()
        tiers = self._tiers(persons) if "tier" in parts else {}
        found = [
            _facts(
                person,
                customer,
                consents=given.get(person, frozenset()),
                orders=orders.get(person, ()),
                has_cart=person in filled,
                tier=tiers.get(person),
            )
            for person, customer in persons.known.items()
        ]
        return PersonPage(found, cursor, last)

    def count_rows(self) -> int:
        return self._connection.scalar(select(func.count()).select_from(tables.customers)) or 0

    def _persons(self, rows: Collection[Row[Any]]) -> _Persons:
        """Put together whoever is one person; they stand where the first of their ids does, and nowhere else."""
        m = tables.merged_ids
        ids = [row.customer_id for row in rows]
        of_these = select(m.c.person_id).where(m.c.customer_id.in_(ids))
        members: dict[str, list[str]] = defaultdict(list)
        for row in self._connection.execute(select(m).where(m.c.person_id.in_(of_these)).order_by(m.c.customer_id)):
            members[row.person_id].append(row.customer_id)
        merged = {member: person for person, all_of in members.items() for member in all_of}
        told = {row.customer_id: _customer(row) for row in rows}
        told |= self._profiles(merged.keys() - told.keys())
        known: dict[str, Customer] = {}
        for row in rows:
            person = merged.get(row.customer_id, row.customer_id)
            if person not in merged.values() and row.customer_id not in merged:
                known[person] = told[row.customer_id]
                continue
            profiles = [told[member] for member in members[person] if member in told]
            if profiles[0].customer_id == row.customer_id and (whole := one_person(person, profiles)) is not None:
                known[person] = whole
        known = {person: customer for person, customer in known.items() if not customer.erased}
        person_of = {member: person for person in known for member in members.get(person, [person])}
        return _Persons(known, person_of)

    def _profiles(self, ids: Collection[str]) -> dict[str, Customer]:
        if not ids:
            return {}
        rows = self._connection.execute(_PLAIN.where(tables.customers.c.customer_id.in_(list(ids))))
        return {row.customer_id: _customer(row) for row in rows}

    def _consents(self, persons: _Persons, wanted: Collection[str], now: datetime) -> dict[str, frozenset[str]]:
        t = tables.consents
        columns = (t.c.customer_id, t.c.purpose, t.c.channel, t.c.state, t.c.stated_at, t.c.valid_until)
        purposes = {each.partition("/")[0] for each in wanted}
        rows = self._connection.execute(
            select(*columns).where(t.c.customer_id.in_(persons.ids), t.c.purpose.in_(purposes))
        )
        facts: dict[tuple[str, str], list[ConsentFact]] = defaultdict(list)
        for row in rows:
            person = persons.person_of[row.customer_id]
            forgotten_at = persons.known[person].erased_at
            if forgotten_at is None or row.stated_at > forgotten_at:
                facts[person, f"{row.purpose}/{row.channel}"].append(ConsentFact(**row._mapping))  # noqa: SLF001 -- SQLAlchemy's public name for a row's columns by name
        given: dict[str, set[str]] = defaultdict(set)
        for (person, key), said in facts.items():
            if key in wanted and is_given(said, now):
                given[person].add(key)
        return {person: frozenset(keys) for person, keys in given.items()}

    def _orders(self, persons: _Persons) -> dict[str, list[Order]]:
        """Return each person's orders, also those placed as a guest from a cart or in a browser that is theirs."""
        o, c = tables.orders, tables.carts
        found: dict[str, dict[str, Order]] = defaultdict(dict)

        def keep(rows: Iterable[Row[Any]], person_of: Mapping[str, str]) -> None:
            for row in rows:
                found[person_of[row.whose]][row.order_id] = _order(row)

        execute = self._connection.execute
        keep(
            execute(select(o, o.c.customer_id.label("whose")).where(o.c.customer_id.in_(persons.ids))),
            persons.person_of,
        )
        as_guest = select(o, c.c.customer_id.label("whose")).join(c, o.c.cart_id == c.c.cart_id)
        keep(execute(as_guest.where(o.c.customer_id.is_(None), c.c.customer_id.in_(persons.ids))), persons.person_of)
        if browsers := self._browsers(persons):
            names = list(browsers)
            there = select(o, o.c.anonymous_id.label("whose"))
            keep(execute(there.where(o.c.customer_id.is_(None), o.c.anonymous_id.in_(names))), browsers)
            from_cart = select(o, c.c.anonymous_id.label("whose")).join(c, o.c.cart_id == c.c.cart_id)
            unnamed = (o.c.customer_id.is_(None), c.c.customer_id.is_(None), c.c.anonymous_id.in_(names))
            keep(execute(from_cart.where(*unnamed)), browsers)
        return {person: list(orders.values()) for person, orders in found.items()}

    def _browsers(self, persons: _Persons) -> dict[str, str]:
        """Return whose each browser is, of those that belong to one person of the page alone."""
        i, m = tables.identities, tables.merged_ids
        mine = select(i.c.value).where(i.c.kind == "anonymous", i.c.customer_id.in_(persons.ids))
        values = list(self._connection.scalars(mine.distinct()))
        if not values:
            return {}
        claims = select(i.c.value, func.coalesce(m.c.person_id, i.c.customer_id).label("person"))
        joined = claims.join_from(i, m, i.c.customer_id == m.c.customer_id, isouter=True)
        owners: dict[str, set[str]] = defaultdict(set)
        for row in self._connection.execute(joined.where(i.c.kind == "anonymous", i.c.value.in_(values))):
            owners[row.value].add(row.person)
        return {
            value: next(iter(of)) for value, of in owners.items() if len(of) == 1 and not of.isdisjoint(persons.known)
        }

    def _with_carts(self, persons: _Persons) -> frozenset[str]:
        """Return who has a cart with something in it from which nothing was ordered."""
        c, o = tables.carts, tables.orders
        ordered = select(o.c.order_id).where(o.c.cart_id == c.c.cart_id).exists()
        # A checkout without a cart stands as a cart under its own id.
        checked_out = select(o.c.order_id).where(o.c.checkout_id == c.c.cart_id).exists()
        carts = select(c.c.customer_id, c.c.anonymous_id, c.c["items"]).where(~ordered, ~checked_out)
        found = {
            persons.person_of[row.customer_id]
            for row in self._connection.execute(carts.where(c.c.customer_id.in_(persons.ids)))
            if row.items
        }
        if browsers := self._browsers(persons):
            unnamed = carts.where(c.c.customer_id.is_(None), c.c.anonymous_id.in_(list(browsers)))
            found |= {browsers[row.anonymous_id] for row in self._connection.execute(unnamed) if row.items}
        return frozenset(found)

    def _tiers(self, persons: _Persons) -> dict[str, str]:
        t = tables.loyalty_entries
        entries: dict[str, list[LoyaltyEntry]] = defaultdict(list)
        for entry in self._all(LoyaltyEntry, select(t).where(t.c.customer_id.in_(persons.ids))):
            entries[persons.person_of[entry.customer_id]].append(entry)
        accounts = {person: account_of(of_person) for person, of_person in entries.items()}
        return {person: account.tier for person, account in accounts.items() if account.tier is not None}


def _customer(row: Row[Any]) -> Customer:
    """Return a customer without what is personal."""
    told = decoded(row.told or {})
    return Customer(customer_id=row.customer_id, told=told, identified_at=row.identified_at, erased_at=row.erased_at)


def _facts(  # noqa: PLR0913 -- the parts that are put together
    person: str,
    customer: Customer,
    *,
    consents: frozenset[str],
    orders: Collection[Order],
    has_cart: bool,
    tier: str | None,
) -> PersonFacts:
    facts = PersonFacts(
        customer_id=person,
        country=customer.country,
        language=customer.language,
        consents=consents,
        has_cart=has_cart,
        tier=tier,
    )
    counted = [order for order in orders if order.counts]
    if not counted:
        return facts
    spent: dict[str, int] = defaultdict(int)
    for order in counted:
        spent[order.currency] += order.total_minor
    return replace(
        facts,
        order_count=len(counted),
        last_order_at=max(order.placed_at for order in counted),
        spent_minor=dict(spent),
    )
