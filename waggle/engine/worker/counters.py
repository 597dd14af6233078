"""What a worker has done so far, for metrics and health."""

import time
from dataclasses import dataclass, field


@dataclass(slots=True)
class Counters:
    """Of one task type, since the process began; only `in_flight` ever falls."""

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
    in_flight: int = 0


@dataclass(slots=True)
class Pulse:
    """When the gateway was last heard of."""

    _heard_s: float = field(default_factory=time.monotonic)

    def heard(self) -> None:
        """Note that the gateway just said something, if only no."""
        self._heard_s = time.monotonic()

    @property
    def silence_s(self) -> float:
        """Seconds since then."""
        return time.monotonic() - self._heard_s
