"""What the product keeps about people's rights, as repositories of a transaction."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from waggle.domain.consent import ConsentFact, Restriction
from waggle.domain.privacy import Export, LegalHold, OneTimeLink, PrivacyRequest, Transfer


class ConsentRepository(Protocol):
    """Statements are added, never changed; those of ids that are one person are read together."""

    def prepare(self, customer_ids: Collection[str]) -> None:
        """Read many persons' at once, before they are asked for one by one."""
        ...

    def add(self, fact: ConsentFact) -> None:
        """Add *fact*; nothing happens if its event has stated it before."""
        ...

    def facts(self, customer_id: str, purpose: str, channel: str) -> list[ConsentFact]: ...
    def of_purpose(self, customer_id: str, purpose: str) -> list[ConsentFact]:
        """Return the person's statements on *purpose*, on whatever channel."""
        ...

    def of_customer(self, customer_id: str) -> list[ConsentFact]:
        """Return every statement of the person, the oldest first."""
        ...

    def forget(self, customer_id: str, told_until: datetime) -> list[ConsentFact]:
        """Empty what is personal in this id's statements up to that time; return later ones that are sealed."""
        ...

    def seal_anew(self, facts: Collection[ConsentFact]) -> None:
        """Seal what is personal in *facts*, which are stored, with the key that their person has now."""
        ...

    def drop_requested(self, customer_id: str, purpose: str, channel: str, before: datetime) -> None:
        """Remove requests for a confirmation that nobody gave, made before that time."""
        ...


class ConsentTexts(Protocol):
    """Every wording that anybody agreed to here, word for word."""

    def add(self, version: str, language: str, sha256: str, text: str, at: datetime) -> None: ...
    def sha256s(self, version: str) -> Mapping[str, str]:
        """Return the hash per language."""
        ...

    def text(self, version: str, language: str) -> str | None: ...


class RestrictionRepository(Protocol):
    def prepare(self, customer_ids: Collection[str]) -> None:
        """Read many persons' at once, before they are asked for one by one."""
        ...

    def add(self, word: Restriction) -> None: ...
    def of(self, customer_id: str) -> list[Restriction]: ...


class SuppressionRepository(Protocol):
    """Addresses that must not be written to whatever was agreed: bounces, complaints, refusals."""

    def prepare(self, customer_ids: Collection[str], addresses: Collection[str], channel: str) -> None:
        """Read what stands against many persons and addresses at once, before it is asked for one by one."""
        ...

    def add(self, customer_id: str, channel: str, reason: str, at: datetime) -> None: ...
    def reason(self, customer_id: str, channel: str) -> str | None: ...
    def of_customer(self, customer_id: str) -> dict[str, tuple[str, datetime]]:
        """Return (reason, since) per channel."""
        ...

    def lift(self, customer_id: str, channel: str, reason: str) -> bool:
        """Let the person, under whichever of their ids, be written to again where *reason* kept them out.

        False if it did not.
        """
        ...

    def forget(self, customer_id: str) -> None: ...

    def keep_address(self, address: str, channel: str, reason: str, at: datetime) -> None:
        """Keep of an address only what knows it again: its keyed hash."""
        ...

    def of_address(self, address: str, channel: str) -> tuple[str, datetime] | None:
        """Return (reason, since) of an address of which only the keyed hash is kept."""
        ...


class PrivacyRequests(Protocol):
    def add(self, request: PrivacyRequest) -> None: ...
    def get(self, request_id: str) -> PrivacyRequest | None: ...
    def save(self, request: PrivacyRequest) -> None: ...
    def of_customer(self, customer_id: str) -> list[PrivacyRequest]:
        """Return them, the newest first."""
        ...

    def newest(self, limit: int, *, all_states: bool) -> list[PrivacyRequest]:
        """Return those that are not closed, the one that is due first at the top; with *all_states* the closed too."""
        ...

    def count_overdue(self, now: datetime) -> int: ...


class OneTimeLinks(Protocol):
    def signature(self, text: str) -> str:
        """Return what only this installation can say of *text* (HMAC-SHA256, hex): the token of a link."""
        ...

    def add(self, link: OneTimeLink) -> None: ...
    def get(self, token_sha256: str) -> OneTimeLink | None: ...
    def mark_used(self, token_sha256: str, at: datetime) -> None: ...
    def drop(self, expired_before: datetime, limit: int) -> int:
        """Remove links whose time was over before, and return how many."""
        ...

    def drop_of(self, customer_id: str) -> None: ...


class Exports(Protocol):
    def save(self, export: Export) -> None: ...
    def get(self, request_id: str) -> Export | None: ...
    def drop_archives(self, expired_before: datetime, limit: int) -> int:
        """Remove the archives whose time was over before, and return how many."""
        ...

    def drop_of(self, customer_id: str) -> None: ...


class TransferRegister(Protocol):
    def add(self, transfer: Transfer) -> None: ...
    def newest(self, limit: int) -> list[Transfer]: ...
    def totals(self) -> list[tuple[str, str, int, datetime]]:
        """Return (destination, purpose, count, the last time) of each destination and purpose."""
        ...


class LegalHolds(Protocol):
    def add(self, hold: LegalHold) -> None: ...
    def lift(self, customer_id: str) -> None: ...
    def all(self) -> list[LegalHold]: ...
    def is_held(self, customer_id: str) -> bool: ...


@dataclass(frozen=True, slots=True)
class Way:
    """How the rows of *table* find their person: by the id in *column*, or by the row of `through` that it names."""

    table: str
    column: str
    through: "Way | None" = None


RowKey = tuple[Any, ...]
"""The primary key of a row of any table."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Overdue:
    """Which rows of a table are over their time: those on which nothing hangs that is not."""

    table: str
    since: str
    """The column that counts; ..."""
    before: datetime
    """... its time is before that."""
    held: Sequence[Way]
    persons: Collection[str]
    """But for rows that belong to one of these by a way *held*."""
    columns: Sequence[str] = ()
    """If there are any: only those in which one of them is not empty."""


@dataclass(frozen=True, slots=True)
class OverduePage:
    """What was found among some rows."""

    keys: Sequence[RowKey]
    after: RowKey | None
    """Where to look on; None: there are no more."""


class PersonalData(Protocol):
    """Any table, as the privacy map describes it."""

    def rows(self, way: Way, persons: Collection[str], columns: Sequence[str]) -> list[dict[str, Any]]:
        """Return these columns of the persons' rows, what is sealed opened."""
        ...

    def drop(self, way: Way, persons: Collection[str]) -> None:
        """Remove the persons' rows."""
        ...

    def over(self, overdue: Overdue, after: RowKey, limit: int) -> OverduePage:
        """Look through the next *limit* rows whose keys come after *after*; () is before all."""
        ...

    def drop_over(self, overdue: Overdue, keys: Collection[RowKey]) -> int:
        """Remove the rows that are still such, and what goes along with them; return how many rows."""
        ...

    def empty_over(self, overdue: Overdue, keys: Collection[RowKey]) -> int:
        """Empty the columns of the rows that are still such; return how many rows."""
        ...


class RetentionRuns(Protocol):
    """Which day's old rows were seen to, and by whom of several processes."""

    def begin(self, day: str, at: datetime, stale_before: datetime) -> bool:
        """Take on a day; False if it is done, or somebody began it after *stale_before*."""
        ...

    def finish(self, day: str, at: datetime) -> None: ...
