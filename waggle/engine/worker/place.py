"""A job's way through the capacity of its task type, once it has entered."""

import time
from types import TracebackType
from typing import Self

from waggle.engine.worker.capacity import Capacity
from waggle.engine.worker.counters import Counters


class Place:
    """Held until it is freed, or until its context is left; from then on until the context is left, the job is told."""

    def __init__(self, capacity: Capacity, counters: Counters) -> None:
        """Take over what `Capacity.enter` granted."""
        self._capacity = capacity
        self._counters = counters
        self._began_s = time.monotonic()
        self._is_free = False

    def __enter__(self) -> Self:
        self._counters.in_flight += 1
        return self

    def free(self) -> float:
        """Let the next job have it, and return for how many seconds it was held."""
        held_s = time.monotonic() - self._began_s
        if not self._is_free:
            self._is_free = True
            self._counters.in_flight -= 1
            self._counters.reporting += 1
            self._capacity.leave(held_s)
        return held_s

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.free()
        self._counters.reporting -= 1
        self._capacity.told()
