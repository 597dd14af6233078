"""Everything of one kind, a stretch of time at once, for other programs; nothing personal in it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol

from waggle.ports.row_files import RowColumn

Dataset = Literal["events", "outcomes", "messages", "orders"]


@dataclass(frozen=True, slots=True)
class Stretch:
    """Some rows, and where the next begin; an empty `after`: these were the last."""

    rows: Sequence[Mapping[str, Any]]
    after: str


class BulkReads(Protocol):
    """Reads in pages, each as good in a transaction of its own."""

    def columns(self, dataset: Dataset) -> Sequence[RowColumn]: ...
    def first_at(self, dataset: Dataset) -> datetime | None:
        """Return the time of the oldest row."""
        ...

    def page(self, dataset: Dataset, since: datetime, until: datetime, after: str, limit: int) -> Stretch:
        """Return rows of [since, until): events by when they were applied, outcomes by when they came about, messages
        by when they were planned, orders by when they were placed.
        """  # noqa: D205 -- one sentence
        ...
