"""The person a shop knows under one reference."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Customer:
    """What is known of one customer.

    `email` and `first_name` are personal data: they leave the database only in a message. Each field bears the time of
    the event that told it, so that events make the same customer in whatever order they arrive.
    """

    customer_id: str
    email: str | None = None
    first_name: str | None = None
    time_zone: str | None = None
    """IANA name."""
    language: str | None = None
    email_at: datetime | None = None
    first_name_at: datetime | None = None
    time_zone_at: datetime | None = None
    language_at: datetime | None = None
    identified_at: datetime | None = None
    """Time of the newest event that told of them, if it came after `erased_at`."""
    erased_at: datetime | None = None
    """When they last asked to be forgotten: nothing told up to then counts."""

    @property
    def erased(self) -> bool:
        """Whether they asked to be forgotten and have not come back since."""
        return self.erased_at is not None and self.identified_at is None
