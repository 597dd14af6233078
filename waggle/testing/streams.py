"""A destination that remembers what it was told."""

from collections.abc import Sequence
from typing import Any

from waggle.errors import WaggleError
from waggle.ports.sources import OutEvent


class RememberingStream:
    """Implements waggle.ports.sources.EventStream; fails as it is told, with or without having taken the events."""

    def __init__(self, most_at_once: int = 100) -> None:
        self.told: list[OutEvent] = []
        self.failing: WaggleError | None = None
        self.takes_before_it_fails = False
        self.closed = False
        self._most_at_once = most_at_once

    @property
    def most_at_once(self) -> int:
        """As given."""
        return self._most_at_once

    @property
    def items(self) -> list[Any]:
        """Everything told, in order."""
        return [event.item for event in self.told]

    async def publish(self, events: Sequence[OutEvent]) -> None:
        """Take *events*, or fail."""
        if self.failing is None or self.takes_before_it_fails:
            self.told.extend(events)
        if self.failing is not None:
            raise self.failing

    async def close(self) -> None:
        """Note it."""
        self.closed = True
