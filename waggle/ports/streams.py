"""What is on its way out: facts and outcomes in one order, and how far each stream has told them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from waggle.domain.event import Event
from waggle.domain.outcome import Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One thing to tell."""

    position: int
    outcome_id: int
    """Its own number, never given again; positions are given later, in the order of becoming known."""
    event: Event | None
    """An accepted event, without its personal fields."""
    event_sequence: int | None
    outcome: Outcome | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamState:
    """How far one stream is."""

    name: str
    position: int
    """All up to it is safely there."""
    confirmed_at: datetime | None = None
    failures: int = 0
    """How often in a row it failed."""
    code: str | None = None
    failed_at: datetime | None = None
    holder: str | None = None
    """Which process tells it."""
    held_until: datetime | None = None


class OutcomeLog(Protocol):
    """Everything to tell. Rows come with the transactions that they tell of: each repository adds its own."""

    def number(self, limit: int) -> int:
        """Give positions to at most *limit* rows that have none yet, and return to how many.

        A row that was written first may be committed last. By numbering what is committed, whoever has read up to a
        position has missed nothing below it.
        """
        ...

    def any_unnumbered(self) -> bool: ...
    def after(self, position: int, limit: int) -> list[Told]:
        """Return what comes after *position*, in its order."""
        ...

    def head(self) -> int:
        """Return the last position given, 0 if there is none."""
        ...

    def position_before(self, at: datetime) -> int:
        """Return the last position of what was known before *at*."""
        ...

    def waiting(self, position: int) -> tuple[int, datetime | None]:
        """Return how many come after *position*, those without one included, and when the oldest became known."""
        ...


class Streams(Protocol):
    """How far each stream is."""

    def get(self, name: str) -> StreamState | None: ...
    def all(self) -> list[StreamState]: ...
    def add(self, state: StreamState) -> None: ...
    def hold(self, name: str, holder: str, now: datetime, until: datetime) -> bool:
        """Make *holder* the one that tells the stream until *until*; False: another is, and its time is not over."""
        ...

    def confirm(self, name: str, holder: str, before: int, position: int, at: datetime) -> bool:
        """Move on from *before* to *position*; False: it is held by another, or was set elsewhere meanwhile."""
        ...

    def fail(self, name: str, code: str, at: datetime) -> None:
        """Note a failure; `confirm` ends the series."""
        ...

    def rewind(self, name: str, position: int) -> None: ...
