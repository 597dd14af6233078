"""The ways in: systems that call, that can be asked or read, and files."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from waggle.ports.clock import Clock
from waggle.ports.sources import EventFeed, EventQueue, Webhook
from waggle.ports.unit_of_work import Transaction
from waggle.services.backfilling import Backfilling
from waggle.services.importing import Importing
from waggle.services.intake import Intake
from waggle.services.pulling import PULL_EVERY, RECORD_TOPIC, FeedPlan, Puller, Pulling, read_record
from waggle.services.queues import QueueReader
from waggle.services.webhooks import Webhooks
from waggle.settings import SourceSection
from waggle.storage.store import Store
from waggle.wiring.systems import ConnectedSystems


@dataclass(frozen=True)
class Sources:
    """What takes facts in from each source that is set."""

    systems: ConnectedSystems
    store: Store
    intake: Intake
    clock: Clock

    def webhooks(self, hear: Callable[[str, str], None] = lambda _source, _outcome: None) -> Webhooks:
        """Return the way in for systems that call; *hear* is told the source of each call and what became of it.

        Raises:
            BadSettings: the section of a source is wrong.
        """
        sections = self.systems.sections.sources(Webhook)
        receivers = {section.name: self.systems.made(section, Webhook) for section in sections}
        return Webhooks(self.store, self.intake, self.clock, receivers, tell=hear)

    @cached_property
    def plans(self) -> list[FeedPlan]:
        """The sources that can be asked, and when.

        Raises:
            BadSettings: a section is wrong.
        """
        sections = self.systems.sections
        callers = {section.name for section in sections.sources(Webhook)}
        return [self._plan(section, calls=section.name in callers) for section in sections.sources(EventFeed)]

    @cached_property
    def puller(self) -> Puller:
        """Asks sources for one page at a time."""
        return Puller(self.store, self.intake, self.clock)

    def pulling(self) -> Pulling:
        """Return what asks every source that can be asked.

        Raises:
            BadSettings: a section is wrong.
        """

        def heard(tx: Transaction, source: str) -> datetime | None:
            return tx.deliveries.last_heard_at(source)

        return Pulling(self.puller, self.plans, self.store, self.clock, heard=heard)

    @cached_property
    def backfilling(self) -> Backfilling:
        """Asks sources again for what lies between two times."""
        return Backfilling(self.puller, lambda: self.plans, self.store, self.clock)

    def queues(self) -> list[QueueReader]:
        """Return what reads each configured queue.

        Raises:
            BadSettings: a section is wrong.
        """
        sections = self.systems.sections.sources(EventQueue)
        return [QueueReader(section.name, self.systems.made(section, EventQueue), self.intake) for section in sections]

    @cached_property
    def importing(self) -> Importing:
        """The way in for files."""
        return Importing(self.store, self.intake, self.clock)

    def read_again(self, source: str, topic: str, raw: bytes, now: datetime) -> Sequence[object]:
        """Read what was set aside as the one would that set it aside.

        Raises:
            Rejected: as the first time.
        """
        sections = self.systems.sections
        named = [sections.of_source(section).mapping for section in sections.sources() if section.name == source]
        if topic == RECORD_TOPIC and named and named[0]:
            return read_record(sections.mapping(named[0]), raw, now)
        return self.webhooks().read(source, topic, raw, now)

    def _plan(self, section: SourceSection, *, calls: bool) -> FeedPlan:
        common = self.systems.sections.of_source(section)
        return FeedPlan(
            source=section.name,
            feed=self.systems.made(section, EventFeed),
            every=common.pull_every if common.pull_every or calls else PULL_EVERY,
            expect_within=common.expect_within if calls else None,
            first_pull=common.first_pull,
            covers=common.covers,
            timeout_s=common.page_timeout_s,
        )
