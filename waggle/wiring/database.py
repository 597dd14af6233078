"""The database that the settings name, and its master keys."""

import hashlib
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from waggle.services.state_rules import StateRules
from waggle.settings import Settings
from waggle.storage.dump import read_tables
from waggle.storage.keyring import FileKeyring, Keyring, NoKeyring
from waggle.storage.shadow import Shadow, open_shadow
from waggle.storage.store import Store, open_store


@dataclass(frozen=True)
class Database:
    """Opens the database, for work or for reports."""

    settings: Settings

    @cached_property
    def keyring(self) -> Keyring:
        """The master keys; read when the first is needed, and made then if they are to lie in the home folder."""
        file = self.settings.master_key_file
        return NoKeyring() if file is None else FileKeyring(file, may_make=not self.settings.privacy.master_key_file)

    def open(self, erased: Path | None) -> Store:
        """Return the database, brought up to date; *erased* lists who was erased from it."""
        return open_store(
            self.settings.database_url,
            keyring=self.keyring,
            erased=erased,
            busy_timeout_s=self.settings.database.busy_timeout_s,
            allow_plaintext=self.settings.database.allow_plaintext,
        )

    def tables(self, names: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
        """Return every row of these tables, for reports that count everything."""
        allow_plaintext = self.settings.database.allow_plaintext
        return read_tables(self.settings.database_url, names, allow_plaintext=allow_plaintext)

    def shadow(self, rules: StateRules) -> AbstractContextManager[Shadow]:
        """Return a second store for reading the events anew by *rules*; see `waggle.storage.shadow.open_shadow`."""
        mark = hashlib.sha256(f"{self.settings.database_url}\n{rules}".encode()).hexdigest()
        return open_shadow(self.settings.home / "replay", self.keyring, mark)
