"""How long to wait before the next try."""

from collections.abc import Callable
from dataclasses import dataclass, field
from secrets import SystemRandom

Spread = Callable[[], float]
"""Returns a number in [0, 1); many processes that failed together must not come back together."""

spread: Spread = SystemRandom().random

_LONGEST_JOB_WAIT_S = 3600.0
_FIRST_JOB_WAIT_S = 10.0
_USUAL_RETRIES = 3


@dataclass(slots=True)
class Backoff:
    """Waits that grow from `first_s` by `factor` up to `cap_s`, each up to a tenth longer or shorter."""

    first_s: float = 0.05
    cap_s: float = 5.0
    factor: float = 1.6
    spread: Spread = spread
    failures: int = field(default=0, init=False)
    """Waits since the last success."""

    def next_s(self) -> float:
        """Return the next wait in seconds."""
        # Past 64 the power no longer matters and would only overflow.
        wait_s = min(self.cap_s, self.first_s * self.factor ** min(self.failures, 64))
        self.failures += 1
        return wait_s * (0.9 + 0.2 * self.spread())

    def reset(self) -> None:
        """Begin anew after a success."""
        self.failures = 0


def job_wait_s(retries: int, spread: Spread = spread) -> float:
    """Return how long the engine keeps a job back that failed with *retries* left: 10 s, 40 s, 160 s ... 1 h.

    A job tells what is left, not how often it was tried; the engine's usual three retries are taken as the start.
    """
    tried = min(max(0, _USUAL_RETRIES - retries), 8)
    return at_least_s(min(_LONGEST_JOB_WAIT_S, _FIRST_JOB_WAIT_S * 4**tried), spread)


def at_least_s(wait_s: float, spread: Spread = spread) -> float:
    """Return *wait_s*, up to a tenth longer and never shorter."""
    return wait_s * (1 + 0.1 * spread())
