"""What is known, as rows that follow from events: read and compared as wholes, whatever they say."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, get_args

StateTable = Literal[
    "customers",
    "identities",
    "merges",
    "merged_ids",
    "consents",
    "restrictions",
    "carts",
    "orders",
    "early_orders",
    "payments",
    "products",
    "product_views",
    "loyalty_entries",
]
"""Every table that is rebuilt from events."""

STATE_TABLES: tuple[StateTable, ...] = get_args(StateTable)

Key = tuple[str, ...]
"""The values of a row's key columns."""

Document = Mapping[str, Any]
"""A row as JSON can hold it: personal fields open, times as ISO 8601; what depends on the order of arrival left out."""


class StateRepository(Protocol):
    def keys(self, table: StateTable, after: Key | None, limit: int) -> list[Key]:
        """Return the first keys after *after*, in the order of this database."""
        ...

    def documents(self, table: StateTable, keys: Sequence[Key]) -> dict[Key, Document]: ...
    def put(self, table: StateTable, key: Key, document: Document) -> None:
        """Let the row be as `documents` gave it, of this database or another."""
        ...

    def drop(self, table: StateTable, key: Key) -> None: ...


@dataclass(frozen=True, slots=True)
class Position:
    """How far the shadow is, to go on after an end that nobody planned."""

    sequence: int = 0
    waiting: tuple[int, ...] = ()
    """Numbers up to `sequence` of events that were not applied yet."""


class Bookmark(Protocol):
    """Keeps the position beside the shadow."""

    def load(self) -> Position: ...
    def save(self, position: Position) -> None: ...
