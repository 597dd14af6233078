"""What is kept of segments, campaigns, approvals and of who is logged in to the console."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from waggle.domain.approval import Approval
from waggle.domain.campaign import Campaign
from waggle.domain.message import Message
from waggle.domain.segment import Part, PersonFacts


@dataclass(frozen=True, slots=True)
class PersonPage:
    """Persons in the order of their ids, and where to go on."""

    persons: Sequence[PersonFacts]
    cursor: str
    last: bool
    """Nobody comes after them."""


class SegmentReads(Protocol):
    """Persons a page at a time, each page found by an index, each fact of a page read at once."""

    def page(
        self, after: str, limit: int, parts: Collection[Part], consents: Collection[str], now: datetime
    ) -> PersonPage:
        """Return whoever stands in the next *limit* customer rows after the id *after*, without those who are erased.

        Only *parts* of what is known are read, and of consents only those of *consents* (`purpose/channel`).
        """
        ...

    def count_rows(self) -> int:
        """Return how many customer rows there are, for a progress bar."""
        ...


class CampaignRepository(Protocol):
    def get(self, campaign_id: str) -> Campaign | None: ...
    def of_enrolment(self, enrolment_id: str) -> Campaign | None: ...
    def newest(self, limit: int) -> list[Campaign]:
        """Return those requested last, the newest first."""
        ...

    def save(self, campaign: Campaign) -> None: ...
    def plan(self, messages: Sequence[Message]) -> int:
        """Add each message unless its step has one; return how many are new."""
        ...

    def due(self, enrolment_id: str, now: datetime, limit: int) -> list[tuple[str, str]]:
        """Return (message id, step) of recipients' messages that may be tried now, the one due first at the top."""
        ...

    def reserve(self, message_ids: Collection[str], until: datetime) -> None:
        """Keep others from trying these before *until*."""
        ...

    def postpone(self, message_id: str, until: datetime) -> None:
        """Have one that waits tried again at *until*."""
        ...

    def open_messages(self, enrolment_id: str, limit: int) -> list[Message]:
        """Return those that are not in a final state."""
        ...

    def count_open(self, enrolment_id: str, most: int) -> int:
        """Count those that are not in a final state, up to *most*."""
        ...

    def next_due_at(self, enrolment_id: str) -> datetime | None:
        """Return when the first that is not in a final state may be tried."""
        ...

    def results(self, enrolment_id: str) -> Mapping[tuple[str, str], int]:
        """Count recipients' messages by (state, reason)."""
        ...


class ApprovalRepository(Protocol):
    def get(self, approval_id: str) -> Approval | None: ...
    def of_step(self, enrolment_id: str, step: str) -> Approval | None: ...
    def waiting_of(self, enrolment_id: str) -> list[Approval]: ...
    def waiting(self) -> list[Approval]:
        """Return all that nobody has answered, the oldest first."""
        ...

    def count_waiting(self) -> tuple[int, datetime | None]:
        """Return how many nobody has answered, and when the oldest of them was asked."""
        ...

    def newest(self, limit: int) -> list[Approval]:
        """Return those asked last, whatever their state, the newest first."""
        ...

    def save(self, approval: Approval) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsoleSession:
    """Somebody logged in to the console; of their cookie only the hash is kept."""

    session_hash: str
    key_id: str
    """Of the token that they logged in with: revoked, the session ends too."""
    began_at: datetime
    expires_at: datetime


class ConsoleSessions(Protocol):
    def get(self, session_hash: str) -> ConsoleSession | None: ...
    def save(self, session: ConsoleSession) -> None: ...
    def end(self, session_hash: str) -> None: ...
    def forget(self, expired_before: datetime) -> None:
        """Drop what is over."""
        ...
