"""Which calls of other systems were taken, so that a repeat does nothing, and which were turned away."""

from datetime import datetime
from typing import Literal, Protocol

TakenBefore = Literal["accepted", "duplicate", "conflict"]


class Deliveries(Protocol):
    """Calls of webhooks; what they said is in the inbox."""

    def add(self, source: str, topic: str, delivery_id: str, body_sha256: str, at: datetime) -> TakenBefore:
        """Note a call unless its (source, topic, delivery id) is known; `conflict`: known with another body."""
        ...

    def refuse(self, source: str, code: str, count: int, at: datetime) -> None:
        """Count *count* more calls that were turned away for the same reason, the last one at *at*."""
        ...

    def end(self, source: str, why: str, at: datetime) -> None:
        """Note that a source says it will call no more, until it calls again."""
        ...

    def last_heard_at(self, source: str) -> datetime | None:
        """Return when its newest call was taken; None: never, or before the oldest that is kept."""
        ...

    def counts(self, source: str, since: datetime) -> dict[str, int]:
        """Return how many calls were taken since, by topic."""
        ...

    def refusals(self, source: str) -> dict[str, tuple[int, datetime]]:
        """Return how many calls were ever turned away and when last, by code."""
        ...

    def ended(self, source: str) -> tuple[str, datetime] | None:
        """Return why and since when a source calls no more."""
        ...

    def sweep(self, before: datetime, limit: int) -> int:
        """Forget up to *limit* calls taken before, the oldest first, and say how many those were."""
        ...
