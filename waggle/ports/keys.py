"""Keys of programs, tokens of people, and the people themselves; only hashes of keys and tokens are kept."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

from waggle.domain.role import Role

Kind = Literal["program", "person"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A key or token as it is kept; who was given it is `name`."""

    key_id: str
    key_hash: str
    hint: str
    """Its prefix and its last four characters, to tell keys apart."""
    name: str
    kind: Kind
    source: str | None
    """Of the events that it may send."""
    scopes: tuple[str, ...]
    """Empty for a person, whose role says it."""
    role: Role | None
    created_at: datetime
    expires_at: datetime | None = None
    last_used_at: datetime | None = None
    """Up to a minute old."""
    revoked_at: datetime | None = None
    replaced_by: str | None = None
    """Id of the key that this one was rotated to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody who works with Waggle."""

    name: str
    """A short name of their own choice, which the audit log keeps for ever."""
    role: Role
    added_at: datetime
    removed_at: datetime | None = None


class KeyRepository(Protocol):
    def get(self, key_id: str) -> Key | None: ...
    def by_hash(self, key_hash: str) -> Key | None: ...
    def all(self) -> list[Key]:
        """Return every key there ever was, the oldest first."""
        ...

    def of(self, name: str, kind: Kind) -> list[Key]: ...
    def save(self, key: Key) -> None: ...
    def used(self, key_id: str, at: datetime) -> None:
        """Note when a key was last used, unless a later use is known."""
        ...

    def sources(self) -> list[str]:
        """Return the sources that were ever given a key."""
        ...


class PersonRepository(Protocol):
    def get(self, name: str) -> Person | None: ...
    def all(self) -> list[Person]: ...
    def save(self, person: Person) -> None: ...
