"""What a worker has done so far, for metrics and health."""

import bisect
import time
from dataclasses import dataclass, field

BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0)


@dataclass(slots=True)
class Durations:
    """How long something took, as Prometheus counts it: per bucket, not yet cumulated, and in sum."""

    counts: list[int] = field(default_factory=lambda: [0] * (len(BUCKETS_S) + 1))
    """One more than there are bounds: the last has none."""
    sum_s: float = 0.0

    def observe(self, seconds: float) -> None:
        """Count one that took *seconds*."""
        self.counts[bisect.bisect_left(BUCKETS_S, seconds)] += 1
        self.sum_s += seconds


@dataclass(slots=True)
class Counters:
    """Of one task type, since the process began; what is said to be so now also falls."""

    activated: int = 0
    """Jobs that reached us."""
    started: int = 0
    """Jobs whose handler was called."""
    completed: int = 0
    failed: int = 0
    thrown: int = 0
    """BPMN errors."""
    late: int = 0
    """Outcomes of jobs that were done elsewhere or had been interrupted; also a repeat whose first answer was lost."""
    refused: int = 0
    """Outcomes that the engine would not take."""
    unreported: int = 0
    """Outcomes that could not be told before the lease was over or the drain ended."""
    handed_back: int = 0
    lease_lost: int = 0
    expired: int = 0
    """Jobs not started because their lease was over when they got their turn."""
    repeated: int = 0
    """Jobs that came again while they were being done here."""
    outcome_retries: int = 0
    overdue: int = 0
    """Handlers that were stopped at their time limit, or ran past it in a thread."""
    used_up: int = 0
    """Jobs not started because too many attempts at them had come to nothing."""
    in_flight: int = 0
    """Jobs that run now."""
    waiting: int = 0
    """Jobs that are here now and wait for their handler."""
    reporting: int = 0
    """Jobs whose outcome is being told now."""
    capacity: int = 0
    """Handlers that may run at once."""
    queue_wait: Durations = field(default_factory=Durations)
    """From a job's arrival here to the call of its handler."""
    handler_time: Durations = field(default_factory=Durations)
    report_time: Durations = field(default_factory=Durations)
    """From the handler's end until the engine knows."""


@dataclass(slots=True)
class Pulse:
    """When the gateway was last heard of, and when a call to it last ended in whatever way."""

    _heard_s: float = field(default_factory=time.monotonic)
    _turned_s: float = field(default_factory=time.monotonic)

    def heard(self) -> None:
        """Note that the gateway just said something, if only no."""
        self._heard_s = self._turned_s = time.monotonic()

    def turned(self) -> None:
        """Note that a call came back, were it only to say that nobody is there."""
        self._turned_s = time.monotonic()

    @property
    def silence_s(self) -> float:
        """Seconds since the gateway was heard."""
        return time.monotonic() - self._heard_s

    @property
    def stillness_s(self) -> float:
        """Seconds since a call came back: while we ask at all, it never grows far, whoever is away."""
        return time.monotonic() - self._turned_s
