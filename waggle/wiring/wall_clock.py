"""The time where nobody moves it."""

from datetime import UTC, datetime


class WallClock:
    """The machine's time."""

    def now(self) -> datetime:
        """Return the present as aware UTC."""
        return datetime.now(UTC)
