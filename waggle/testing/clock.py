"""A clock that stands still until it is told to go on."""

from datetime import UTC, datetime, timedelta

A_SUNDAY_NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


class HandClock:
    """Implements waggle.ports.clock.Clock."""

    def __init__(self, now: datetime = A_SUNDAY_NOON) -> None:
        self._now = now

    def now(self) -> datetime:
        """Return the time it was set to."""
        return self._now

    def advance(self, step: timedelta) -> None:
        """Go on by *step*."""
        if step < timedelta(0):
            raise ValueError("a clock never goes back")
        self._now += step
