"""The way out for facts and outcomes: brokers and receivers that are told of them."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from waggle.ports.clock import Clock
from waggle.ports.sources import EventStream
from waggle.services.disclosure import disclosure_for
from waggle.services.streaming import NamedStream, Outbox, Streaming
from waggle.storage.store import Store
from waggle.wiring.systems import ConnectedSystems


@dataclass(frozen=True)
class Streams:
    """What tells each stream that is set."""

    systems: ConnectedSystems
    store: Store
    clock: Clock
    config_dir: Path

    def streaming(self) -> Streaming:
        """Return what tells every configured stream, if there is one.

        Raises:
            BadSettings: a section is wrong, or names a purpose that config/privacy.toml does not know.
        """
        told = []
        for section in self.systems.sections.streams(EventStream):
            common = self.systems.sections.of_stream(section)
            disclosure = disclosure_for(self.config_dir, common.purpose, f"{section.section}.purpose")
            stream = self.systems.made(section, EventStream)
            told.append(NamedStream(section.name, stream, disclosure, common.begin))
        return Streaming(self.store, told, self.clock)

    @cached_property
    def outbox(self) -> Outbox:
        """How far each stream is."""
        return Outbox(self.store, self.clock)
