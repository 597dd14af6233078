"""Who works with Waggle, people and programs, and what they may do."""

from dataclasses import dataclass
from functools import cached_property

from waggle.ports.clock import Clock
from waggle.services.access import Access
from waggle.services.console_sessions import ConsoleSessions
from waggle.services.keys import Keys
from waggle.services.people import People
from waggle.services.write_keys import WriteKeys
from waggle.settings import AccessSettings
from waggle.storage.store import Store


@dataclass(frozen=True)
class Accounts:
    """People, keys, and who is there."""

    settings: AccessSettings
    store: Store
    clock: Clock

    @cached_property
    def access(self) -> Access:
        """Who asks, and what they may do."""
        return Access(self.store, self.clock)

    @cached_property
    def people(self) -> People:
        """Those who work with Waggle."""
        return People(self.store, self.clock)

    @cached_property
    def keys(self) -> Keys:
        """The keys of programs and the tokens of people."""
        return Keys(self.store, self.clock, remind_after=self.settings.remind_after)

    @cached_property
    def write_keys(self) -> WriteKeys:
        """Who may send events."""
        return WriteKeys(self.store, self.clock, self.access)

    @cached_property
    def console_sessions(self) -> ConsoleSessions:
        """Who is logged in to the console."""
        return ConsoleSessions(self.store, self.access, self.clock)
