"""An engine that remembers what it was told and can be away."""

from collections.abc import Sequence
from pathlib import Path

from waggle.errors import PermanentFailure, TemporaryFailure
from waggle.ports.journey_engine import Deployed, EngineMessage, Published


class RememberingEngine:
    """Implements waggle.ports.journey_engine.JourneyEngine; like the real one it refuses repeats of what it buffers."""

    def __init__(self) -> None:
        self.away = False
        self.refused: set[str] = set()
        """Names of messages that it will never take."""
        self.taken: list[EngineMessage] = []
        """What had an effect, in order."""
        self.repeats: list[EngineMessage] = []
        """What was published again while the first was buffered."""
        self._buffer: set[tuple[str, str, str]] = set()

    async def publish(self, message: EngineMessage) -> Published:
        """Take *message* unless it is known."""
        if self.away:
            raise TemporaryFailure("ENGINE_UNREACHABLE", retry_after_s=5.0)
        if message.name in self.refused:
            raise PermanentFailure("VARIABLE_REFUSED")
        identity = (message.name, message.enrolment_id, message.message_id)
        if identity in self._buffer:
            self.repeats.append(message)
            return "already_buffered"
        self._buffer.add(identity)
        self.taken.append(message)
        return "published"

    async def deploy(self, files: Sequence[Path]) -> list[Deployed]:
        """Take nothing: diagrams are not its business."""
        return []

    def told(self, name: str) -> list[str]:
        """Return the enrolments to which messages of this name came, in order."""
        return [message.enrolment_id for message in self.taken if message.name == name]

    def forget(self) -> None:
        """Empty the buffer, as the engine does when a message's time to live is over."""
        self._buffer.clear()
