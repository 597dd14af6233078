"""Backups of a database and the master keys behind it, for whoever is asked to look after them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import Engine

from waggle.errors import BadSettings
from waggle.storage.backup import BackupContent, Restored, create_backup, restore_backup, verify_backup
from waggle.storage.erased import ErasedList
from waggle.storage.keyring import FileKeyring, Keyring, new_key_file
from waggle.storage.rotation import Rotation, drop, rotate
from waggle.storage.store import open_engine, upgrade


@dataclass(frozen=True, slots=True, kw_only=True)
class Safekeeping:
    """What its methods raise is said where they lead to."""

    url: str
    keyring: Keyring
    erased: Path
    allow_plaintext: bool
    busy_timeout_s: float

    def back_up(self, file: Path, now: datetime) -> BackupContent:
        """Write the whole database, encrypted, to the new *file*."""
        return create_backup(self.url, self.keyring, file, now, allow_plaintext=self.allow_plaintext)

    def verify(self, file: Path) -> BackupContent:
        """Read all of a backup as a restore would."""
        return verify_backup(self.keyring, file)

    def restore(self, file: Path) -> Restored:
        """Put a backup back into the database, which must be empty."""
        erased = ErasedList(self.erased)
        return restore_backup(self.url, self.keyring, erased, file, allow_plaintext=self.allow_plaintext)

    def new_master_key(self, file: Path) -> bool:
        """Make *file* with a first master key; return False if it was there, and is left as it is."""
        if file.exists():
            return False
        new_key_file(file)
        return True

    def rotate_master_key(self, now: datetime, told: Callable[[int, int], None]) -> Rotation:
        """Make a new master key and wrap every person's key by it."""
        keyring = self._key_file()
        with self._engine() as engine:
            return rotate(engine, keyring, now, told)

    def drop_master_key(self, key_id: str) -> None:
        """Take an older master key out of the file."""
        keyring = self._key_file()
        with self._engine() as engine:
            drop(engine, keyring, key_id)

    def _key_file(self) -> FileKeyring:
        if not isinstance(self.keyring, FileKeyring):
            raise BadSettings("MASTER_KEY_MISSING", "privacy.master_key_file is not set")
        return self.keyring

    @contextmanager
    def _engine(self) -> Iterator[Engine]:
        engine = open_engine(self.url, busy_timeout_s=self.busy_timeout_s, allow_plaintext=self.allow_plaintext)
        try:
            upgrade(engine, self.keyring)
            yield engine
        finally:
            engine.dispose()
