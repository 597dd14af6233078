"""How many there are of what: for the live view, reports and people on duty."""

from collections.abc import Mapping
from dataclasses import dataclass

from waggle.ports.unit_of_work import Transaction, UnitOfWork
from waggle.services.held_erasures import LEGAL_HOLD


@dataclass(frozen=True, slots=True)
class Overview:
    """Counts at one moment."""

    enrolments: Mapping[tuple[str, str], int]
    """(state, outcome or "") -> count."""
    messages: Mapping[tuple[str, str, str], int]
    """(step, state, reason) -> count."""
    events_pending: int
    engine_messages_due: int
    waves: int
    """Engine messages that have not reached all who wait for a product."""
    quarantined: int
    """Events that could not be applied."""

    @property
    def live(self) -> int:
        """Enrolments whose journey has not ended."""
        return sum(count for (state, _), count in self.enrolments.items() if state != "ended")

    @property
    def running(self) -> int:
        """Enrolments whose journey has claimed them and goes on."""
        return sum(count for (state, _), count in self.enrolments.items() if state == "running")

    @property
    def under_way(self) -> int:
        """Things that will go on by themselves within moments, without any timer."""
        sending = sum(count for (_, state, _), count in self.messages.items() if state in {"claimed", "handed_over"})
        entering = sum(count for (state, _), count in self.enrolments.items() if state == "entering")
        return self.events_pending + self.engine_messages_due + self.waves + sending + entering


async def look(store: UnitOfWork) -> Overview:
    """Count everything in one consistent view."""

    def count(tx: Transaction) -> Overview:
        return Overview(
            enrolments=tx.enrolments.count_by_state(),
            messages=tx.messages.count_by_state(),
            events_pending=tx.events.count_pending(),
            engine_messages_due=tx.engine_messages.count_due(),
            waves=tx.waves.count(),
            # An erasure that waits for a legal hold has not failed.
            quarantined=sum(each.code != LEGAL_HOLD for each in tx.events.quarantined()),
        )

    return await store.read(count)
