"""An engine message on its way to more enrolments than one transaction tells."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

BEGINNING = (datetime.fromtimestamp(0, UTC), "")
"""Before whoever waited longest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wave:
    """Goes through those in one journey who wait for one product, who waited longest first, and on from where it is."""

    name: str
    """Of the engine message."""
    origin: str
    """With an enrolment's id, the id of the message that it gets: so nobody is told twice of one event."""
    journey: str
    sku: str
    time_to_live_s: int
    variables: Mapping[str, str | int | float | bool | None]
    cheaper: bool
    """Only who watches a price is told, and only if it can be bought for less by then."""
    left: int | None
    """How many more may be told, of whom only those who have not been written to count; None: all."""
    until: datetime
    """Who began to wait after that is not concerned."""
    after_at: datetime = BEGINNING[0]
    """When the last who was looked at had begun to wait, ..."""
    after_id: str = BEGINNING[1]
    """... and the enrolment."""
    wave_id: int | None = None
    """None: not stored yet."""
