"""The person a shop knows under one reference."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Customer:
    """What is known of one customer.

    `email` and `first_name` are personal data: they leave the database only in a message.
    """

    customer_id: str
    email: str | None = None
    first_name: str | None = None
    time_zone: str | None = None
    """IANA name."""
    language: str | None = None
    identified_at: datetime | None = None
    """Time of the newest event that told of them."""
    erased_at: datetime | None = None
