"""What every column of the database is, as `config/privacy.toml` says: whose, what for, on what basis, how long."""

import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import msgspec

from waggle.errors import BadSettings

WHILE_CUSTOMER = "while customer"
WHILE_USED = "while used"

LegalBasis = Literal["consent", "contract", "legitimate_interest", "legal_obligation", "none"]
"""Words of GDPR Art. 6(1); `none`: nothing about a person."""

OnErasure = Literal["delete", "empty", "keep"]
"""Rows go; their columns about the person are emptied; they stay, since they then lead to nobody any more."""


@dataclass(frozen=True, slots=True)
class Subject:
    """How a row finds its person: *column* holds their id, or the key of a row of table *through* that finds them."""

    column: str
    through: str | None = None


@dataclass(frozen=True, slots=True)
class Retention:
    """How long rows are kept.

    *period* after the time in column *since*, upon which they are deleted or emptied; None: as *words* say.
    """

    words: str
    """As written: ISO 8601 such as P1095D, `while customer` or `while used`."""
    period: timedelta | None = None
    since: str | None = None
    then: Literal["delete", "empty"] = "delete"


@dataclass(frozen=True, slots=True)
class ColumnUse:
    """One column."""

    name: str
    category: str
    """Fideslang's words: `user.*` says something about a person, `system.*` about our own work or the shop."""
    purpose: str
    legal_basis: LegalBasis

    @property
    def is_about_person(self) -> bool:
        """Whether it says something about the person, so that it belongs into an export and goes upon erasure."""
        return self.category.startswith("user.")


@dataclass(frozen=True, slots=True)
class TableUse:
    """One table."""

    name: str
    title: str
    """What its rows are, for people: `Orders`."""
    purpose: str
    legal_basis: LegalBasis
    subject: Subject | None
    retention: Retention
    on_erasure: OnErasure
    columns: Mapping[str, ColumnUse]


@dataclass(frozen=True, slots=True)
class Recipient:
    """Somebody outside who gets personal data."""

    name: str
    gets: str
    where: str


@dataclass(frozen=True, slots=True)
class Controller:
    """Who answers for it, and what no table says."""

    controller: str = ""
    contact: str = ""
    people: tuple[str, ...] = ()
    recipients: tuple[Recipient, ...] = ()
    measures: tuple[str, ...] = ()


class PrivacyMap:
    """What `config/privacy.toml` says."""

    def __init__(self, record: Controller, tables: Mapping[str, TableUse]) -> None:
        self.record = record
        self._tables = tables

    def tables(self) -> tuple[str, ...]:
        """Return the names of all tables, in the order of the file."""
        return tuple(self._tables)

    def table(self, table: str) -> TableUse:
        """Return all that is said of one table."""
        return self._tables[table]

    def columns_of(self, table: str) -> Mapping[str, ColumnUse]:
        """Return its columns by name."""
        return self._tables[table].columns

    def retention(self, table: str) -> Retention:
        """Return how long its rows are kept."""
        return self._tables[table].retention

    def subject(self, table: str) -> Subject | None:
        """Return how its rows find their person; None: they are about nobody."""
        return self._tables[table].subject

    def about_persons(self) -> tuple[str, ...]:
        """Return the tables whose rows belong to a person."""
        return tuple(name for name, table in self._tables.items() if table.subject is not None)

    def differences(self, columns: Mapping[str, Collection[str]]) -> list[str]:
        """Return what is wrong against the database's own *columns* by table, in words; nothing: all is classified."""
        found = []
        for table in sorted(columns.keys() | self._tables.keys()):
            stored, said = (
                set(columns.get(table, ())),
                set(self._tables[table].columns if table in self._tables else ()),
            )
            found += [f"{table}.{name} is not classified" for name in sorted(stored - said)]
            found += [f"{table}.{name} is classified, but not there" for name in sorted(said - stored)]
        return found


def load_privacy_map(config_dir: Path) -> PrivacyMap:
    """Read `privacy.toml` of *config_dir*.

    Raises:
        BadSettings: it cannot be read, or says something that means nothing.
    """
    file = config_dir / "privacy.toml"
    try:
        found = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadSettings("PRIVACY_MAP_UNREADABLE", f"{file}: {error}") from error
    tables = {}
    try:
        where = "record"
        record = msgspec.convert(found.get("record", {}), Controller, strict=True)
        for name, said in found.get("table", {}).items():
            where = f"table.{name}"
            tables[name] = _table(name, msgspec.convert(said, _TableSaid, strict=True))
    except (ValueError, msgspec.ValidationError) as error:
        raise BadSettings("PRIVACY_MAP_WRONG", f"{file}: [{where}]: {error}") from error
    if unknown := sorted(found.keys() - {"record", "table", "disclosure"}):
        raise BadSettings("PRIVACY_MAP_WRONG", f"{file}: [{unknown[0]}] is neither [record] nor [table.<name>]")
    _check_ways(file, tables)
    return PrivacyMap(record, MappingProxyType(tables))


class _TableSaid(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    title: str
    purpose: str
    columns: dict[str, str | dict[str, str]]
    legal_basis: LegalBasis = "none"
    subject: str = ""
    retention: str = WHILE_USED
    since: str = ""
    then: Literal["delete", "empty"] = "delete"
    on_erasure: OnErasure = "keep"


def _table(name: str, said: _TableSaid) -> TableUse:
    columns = {column: _column(column, words, said) for column, words in said.columns.items()}
    column, _, through = said.subject.partition(" in ")
    if said.subject and column not in columns:
        raise ValueError(f"subject: there is no column {column}")
    if not said.subject and any(each.is_about_person for each in columns.values()):
        raise ValueError("a column says something about a person, but no subject says about whom")
    if said.subject and said.legal_basis == "none":
        raise ValueError("legal_basis: rows about a person need one")
    return TableUse(
        name=name,
        title=said.title,
        purpose=said.purpose,
        legal_basis=said.legal_basis,
        subject=Subject(column, through or None) if said.subject else None,
        retention=_retention(said, columns),
        on_erasure=said.on_erasure,
        columns=MappingProxyType(columns),
    )


def _column(name: str, words: str | dict[str, str], said: _TableSaid) -> ColumnUse:
    own: dict[str, Any] = {"category": words} if isinstance(words, str) else dict(words)
    own = {"purpose": said.purpose, "legal_basis": said.legal_basis, **own}
    found = msgspec.convert({"name": name, **own}, ColumnUse, strict=True)
    if not found.category.startswith(("user.", "system.")):
        raise ValueError(f"{name}: a category begins with user. or system.")
    return found


def _retention(said: _TableSaid, columns: Collection[str]) -> Retention:
    if said.retention in {WHILE_CUSTOMER, WHILE_USED}:
        return Retention(said.retention)
    period = msgspec.convert(said.retention, timedelta, strict=False)
    if said.since not in columns:
        raise ValueError("since: name the column with the time from which retention counts")
    return Retention(said.retention, period, said.since, said.then)


def _check_ways(file: Path, tables: Mapping[str, TableUse]) -> None:
    """Find out whether every row that finds its person through others gets there."""
    for name, table in tables.items():
        seen, subject = {name}, table.subject
        while subject is not None and subject.through is not None:
            if subject.through in seen or subject.through not in tables:
                raise BadSettings("PRIVACY_MAP_WRONG", f"{file}: [{name}]: subject leads to no person")
            seen.add(subject.through)
            subject = tables[subject.through].subject
        if table.subject is not None and subject is None:
            raise BadSettings("PRIVACY_MAP_WRONG", f"{file}: [{name}]: subject leads to no person")
