"""What time it is for the engine."""

from waggle.ports.clock import Clock


class EngineTime:
    """The engine's present by our clock, and by what polled jobs tell of the engine's own.

    A polled job was dated between our question and its answer, so a clock of ours that is wrong shows; how long a
    pushed one lay in a buffer nobody knows.
    """

    def __init__(self, clock: Clock, lease_s: float) -> None:
        """Take *lease_s* as the length of every lease."""
        self._clock = clock
        self._lease_s = lease_s
        self._ahead_s: float | None = None

    @property
    def is_confirmed(self) -> bool:
        """Whether a polled job has told."""
        return self._ahead_s is not None

    @property
    def old_after_s(self) -> float:
        """Seconds after which a job that was handed out should have begun."""
        return self._lease_s / 4

    def is_old(self, deadline_ms: int) -> bool:
        """Say whether a job was surely handed out longer ago than that."""
        return self.is_confirmed and self.left_s(deadline_ms) < self._lease_s - self.old_after_s

    def now_s(self) -> float:
        """Return our clock's seconds since the epoch."""
        return self._clock.now().timestamp()

    def polled(self, deadline_ms: int, asked_s: float) -> None:
        """Learn from a job that came as an answer to a question of *asked_s*, as `now_s` told it then."""
        dated_s = deadline_ms / 1000 - self._lease_s
        least_s, most_s = dated_s - self.now_s(), dated_s - asked_s
        known_s = least_s if self._ahead_s is None else self._ahead_s
        self._ahead_s = min(max(known_s, least_s), most_s)

    def left_s(self, deadline_ms: int) -> float:
        """Return the seconds until *deadline_ms*, by whichever clock leaves more: the other may have been moved."""
        plain_s = deadline_ms / 1000 - self.now_s()
        return min(self._lease_s, plain_s + max(0.0, -(self._ahead_s or 0.0)))
