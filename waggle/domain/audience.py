"""Who was put into which advertising audience outside."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Membership:
    """One customer in one audience, through one enrolment."""

    enrolment_id: str
    customer_id: str
    audience: str
    keeper: str
    """Who keeps the audience."""
    member: str | None
    """Under what they know the customer: kept until they are taken out, also if they are forgotten meanwhile."""
    added_at: datetime
    removed_at: datetime | None = None
