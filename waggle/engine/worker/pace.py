"""How fast handlers may begin."""

import time
from collections.abc import Callable

_SOON_S = 0.25
_CATCH_UP_S = 0.1


class Pace:
    """Spreads beginnings evenly; what was missed may be caught up by a tenth of a second's worth at once."""

    def __init__(self, rate_per_s: float, monotonic_s: Callable[[], float] = time.monotonic) -> None:
        """Allow *rate_per_s* beginnings per second."""
        self._interval_s = 1 / rate_per_s
        self._monotonic_s = monotonic_s
        self._due_s = monotonic_s()

    @property
    def wait_s(self) -> float:
        """Seconds until the next may begin; zero or less: now."""
        return self._due_s - _CATCH_UP_S - self._monotonic_s()

    @property
    def soon(self) -> int:
        """How many may begin within a quarter of a second: more need not be at hand."""
        within_s = _SOON_S - max(self.wait_s, -_CATCH_UP_S)
        return int(within_s / self._interval_s) + 1 if within_s >= 0 else 0

    @property
    def soon_in_s(self) -> float:
        """Seconds until at least one may begin soon; zero or less: now."""
        return self.wait_s - _SOON_S

    def begin(self) -> None:
        """Count one that begins now."""
        self._due_s = max(self._due_s, self._monotonic_s()) + self._interval_s
