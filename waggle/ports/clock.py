"""The time by which journeys live."""

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """Wall time in production; in tests and simulations the engine's time, which is moved forward."""

    def now(self) -> datetime:
        """Return the present as aware UTC; never earlier than an answer before."""
        ...
