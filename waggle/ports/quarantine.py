"""What came in and could not be understood: kept with its reason until somebody mends, retries or drops it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

SetAsideState = Literal["waiting", "retried", "dropped"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SetAside:
    """Something set aside; its content is read on its own, since it may say anything about anybody."""

    quarantine_id: int
    source: str
    topic: str
    """What the sender called it, such as `orders/create`; "event" for an envelope of our own vocabulary."""
    code: str
    """Why: an UPPER_SNAKE code of a refusal or a failure."""
    where: str
    """Path of what is wrong, such as `$.data.items[0].sku`; empty if nobody knows."""
    content_bytes: int
    set_aside_at: datetime
    state: SetAsideState
    settled_at: datetime | None = None


class Quarantine(Protocol):
    """Contents are sealed under a key of nobody's: whose they are could not be read."""

    def add(self, source: str, topic: str, raw: bytes, code: str, at: datetime, *, where: str = "") -> int:  # noqa: PLR0913 -- what is kept of it
        """Keep *raw* and return its number; the same bytes of one source and topic are kept once while they wait."""
        ...

    def waiting(self, limit: int, *, after: int = 0, source: str | None = None) -> list[SetAside]:
        """Return what waits, oldest first, from behind the number *after*."""
        ...

    def get(self, quarantine_id: int) -> SetAside | None: ...
    def content(self, quarantine_id: int) -> bytes | None:
        """Return what came in; None: it is settled or unknown, and its content is gone."""
        ...

    def replace(self, quarantine_id: int, raw: bytes, code: str, where: str) -> None:
        """Put another content and reason in the place of what waits."""
        ...

    def settle(self, quarantine_id: int, state: Literal["retried", "dropped"], at: datetime) -> None:
        """End the waiting: the content is forgotten, the row stays."""
        ...

    def count_waiting(self) -> dict[tuple[str, str], int]:
        """Return how many wait per (source, code)."""
        ...
