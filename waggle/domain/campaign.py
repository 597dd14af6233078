"""One message to everybody in a segment: what was wished for, and how far it has come."""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

CampaignWish = Literal["go", "pause", "stop"]
RECIPIENT: Final = "recipient:"
"""How the steps of recipients' messages begin."""
TEST: Final = "test:"
"""How the steps of test messages begin."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Campaign:
    """One run of a campaign's file; its messages are those of its enrolment, one for each recipient.

    Planned are those that stand before `cursor` in the order of customer ids: cursor and rows move together.
    """

    campaign_id: str
    campaign: str
    """File in config/campaigns."""
    requested_by: str | None
    """Whoever may not approve it."""
    requested_at: datetime
    enrolment_id: str | None = None
    wish: CampaignWish = "go"
    counted: int | None = None
    """Persons in the segment, when it was prepared."""
    started_at: datetime | None = None
    """When the first batch was begun."""
    cursor: str = ""
    walked: bool = False
    """The whole segment is planned."""
    planned: int = 0
    paced_until: datetime | None = None
    """Up to when what was begun uses up the messages per minute."""
    ended_at: datetime | None = None
    outcome: str | None = None
    """sent, stopped, refused, not_approved, nobody or too_large."""


def recipient_step(enrolment_id: str, customer_id: str) -> str:
    """Return the step of one person's message: for the same person always the same, and it tells no id."""
    return RECIPIENT + hashlib.sha256(f"{enrolment_id}:{customer_id}".encode()).hexdigest()[:32]
