"""Leave a provider alone that does not answer, and find out by one try at a time whether it is back."""

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Literal

from waggle.errors import TemporaryFailure
from waggle.log import get_logger
from waggle.ports.clock import Clock

log = get_logger(__name__)

BreakerState = Literal["closed", "open", "probing"]

PROVIDER_RESTING = "PROVIDER_RESTING"

_FAILURES_TO_OPEN = 5
_FIRST_REST_S = 10.0
_LONGEST_REST_S = 60.0
_LEAST_SHARE = 0.8
"""Of a rest, drawn anew each time, so that many processes do not try a sick provider at the same moment."""
_ASK_AGAIN_WHILE_PROBING_S = 5.0


class Passage:
    """One admitted try: whoever holds it tells how the provider fared, or nothing if it was not asked."""

    def __init__(self, breaker: "CircuitBreaker") -> None:
        self._breaker = breaker

    def answered(self) -> None:
        """The provider works, be its answer a yes or a no."""
        self._breaker._answered()  # noqa: SLF001 -- two halves of one thing

    def failed(self, retry_after_s: float = 0.0) -> None:
        """The provider does not work now; it asked to be left alone for *retry_after_s*, if it asked for anything."""
        self._breaker._failed(self, retry_after_s)  # noqa: SLF001 -- two halves of one thing


class CircuitBreaker:
    """Guards one provider in one process, for one event loop. Nothing is stored: a new process tries for itself."""

    def __init__(self, name: str, clock: Clock, *, draw: Callable[[], float] = random.random) -> None:
        """*draw* returns numbers from 0 to 1."""
        self.name = name
        self._clock = clock
        self._draw = draw
        self._failures = 0
        self._rests = 0
        self._open_until: datetime | None = None
        self._probe: Passage | None = None

    @property
    def state(self) -> BreakerState:
        """`open` also when the rest is over and nobody has tried yet."""
        if self._open_until is None:
            return "closed"
        return "open" if self._probe is None else "probing"

    @contextmanager
    def admit(self) -> Iterator[Passage]:
        """Let a try through while the context lasts; a probe that ends in whatever way frees its place.

        Raises:
            TemporaryFailure: PROVIDER_RESTING, with the time after which to ask again.
        """
        passage = Passage(self)
        if self._open_until is not None:
            left_s = (self._open_until - self._clock.now()).total_seconds()
            if left_s > 0 or self._probe is not None:
                wait_s = max(left_s, 0.0) or _ASK_AGAIN_WHILE_PROBING_S
                # Up to a quarter later, else all who wait would come at once.
                wait_s *= 1 + self._draw() / 4
                raise TemporaryFailure(PROVIDER_RESTING, self.name, retry_after_s=wait_s)
            self._probe = passage
        try:
            yield passage
        finally:
            if self._probe is passage:
                self._probe = None

    def _answered(self) -> None:
        if self._open_until is not None:
            log.info("provider is back", provider=self.name)
        self._failures = self._rests = 0
        self._open_until = self._probe = None

    def _failed(self, passage: Passage, retry_after_s: float) -> None:
        self._failures += 1
        # While it rests, those that were under way when it began to say nothing new.
        if passage is self._probe or (self._open_until is None and self._failures >= _FAILURES_TO_OPEN):
            rest_s = min(_FIRST_REST_S * 2**self._rests, _LONGEST_REST_S)
            rest_s *= _LEAST_SHARE + (1 - _LEAST_SHARE) * self._draw()
            rest_s = max(rest_s, retry_after_s)
            self._rests = min(self._rests + 1, 10)
            self._open_until = self._clock.now() + timedelta(seconds=rest_s)
            log.warning("provider rests", provider=self.name, for_s=round(rest_s, 1))
