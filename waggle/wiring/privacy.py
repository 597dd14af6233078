"""What customers agreed to, asked for and may see, and how long anything is kept."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from waggle.errors import BadSettings
from waggle.ports.clock import Clock
from waggle.services.consent_texts import ConsentTextBook, load_consent_texts, load_purposes
from waggle.services.consents import Consents
from waggle.services.exporting import Exporting
from waggle.services.intake import Intake
from waggle.services.one_time_actions import OneTimeActions
from waggle.services.preferences import PreferenceCentre
from waggle.services.privacy_map import PrivacyMap, load_privacy_map
from waggle.services.privacy_requests import PrivacyRequestBook
from waggle.services.retention import Retention
from waggle.services.transfers import Transfers
from waggle.settings import Settings
from waggle.storage.store import Store
from waggle.storage.tables import metadata


@dataclass(frozen=True)
class Privacy:
    """All that is done with what is known of customers because it is theirs."""

    settings: Settings
    store: Store
    intake: Intake
    clock: Clock

    @cached_property
    def map(self) -> PrivacyMap:
        """What every column of the database is.

        Raises:
            BadSettings: as `checked_privacy_map`.
        """
        return checked_privacy_map(self.settings.config_dir)

    @cached_property
    def consent_texts(self) -> ConsentTextBook:
        """The wordings that people agree to."""
        return load_consent_texts(self.settings.config_dir)

    async def keep_consent_texts(self) -> None:
        """Store wordings that are new.

        Raises:
            BadSettings: CONSENT_TEXT_CHANGED.
        """
        if not await self.store.read(self.consent_texts.is_kept):
            await self.store.run(lambda tx: self.consent_texts.keep(tx, self.clock.now()))

    @cached_property
    def consents(self) -> Consents:
        """What people agreed to, and the proof of it."""
        return Consents(self.store)

    @cached_property
    def preference_centre(self) -> PreferenceCentre:
        """The page of a customer."""
        return PreferenceCentre(
            self.store,
            self.intake,
            self.clock,
            shop_name=self.settings.shop.name,
            purposes=load_purposes(self.settings.config_dir, self.consent_texts),
            texts=self.consent_texts,
            privacy_map=self.map,
        )

    @cached_property
    def one_time_actions(self) -> OneTimeActions:
        """What links in mails do once."""
        return OneTimeActions(
            self.store,
            self.clock,
            shop_name=self.settings.shop.name,
            texts=self.consent_texts,
            public_url=self.settings.api.public_url.rstrip("/"),
        )

    @cached_property
    def requests(self) -> PrivacyRequestBook:
        """What customers asked about their data."""
        return PrivacyRequestBook(self.store, self.clock)

    @cached_property
    def exporting(self) -> Exporting:
        """Copies of what is held about somebody."""
        return Exporting(self.store, self.map, self.clock)

    @cached_property
    def retention(self) -> Retention:
        """What is over its time."""
        return Retention(self.store, self.map, self.clock)

    @cached_property
    def transfers(self) -> Transfers:
        """The register of what left the house."""
        return Transfers(self.store)


def checked_privacy_map(config_dir: Path) -> PrivacyMap:
    """Return what every column of the database is; the database itself is not opened.

    Raises:
        BadSettings: `privacy.toml` cannot be read, says something that means nothing, or does not know a column.
    """
    known = load_privacy_map(config_dir)
    columns = {table.name: [column.name for column in table.columns] for table in metadata.sorted_tables}
    if wrong := known.differences(columns):
        raise BadSettings("PRIVACY_MAP_WRONG", f"privacy.toml: {'; '.join(wrong)}")
    return known
